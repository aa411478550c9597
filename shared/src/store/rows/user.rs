//! Users: one row each, by user id.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{id::UserId, password::PasswordHash, time::Timestamp, user::User},
    store::{
        item::{Corrupt, Item, Reader, Writer, number, text, time},
        table::{Change, Row},
    },
};

impl Row for User {
    const VARIABLE: &'static str = "USERS_TABLE";
    const KEY: &'static str = "user_id";
    type Id = UserId;

    fn key(id: &UserId) -> AttributeValue {
        text(id.text())
    }

    fn to_item(&self) -> Item {
        Writer::default()
            .with(Self::KEY, text(self.id.text()))
            .with("domain", text(&self.domain))
            .with("email", text(&self.email))
            .with("login", text(&self.login))
            .with("name", text(&self.name))
            .with("password", text(self.password.to_stored()))
            .with("is_admin", AttributeValue::Bool(self.is_admin))
            .with("is_blocked", AttributeValue::Bool(self.is_blocked))
            .with("token_generation", number(self.token_generation))
            .with("inserted_at", time(self.inserted_at))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            id: row.parsed(Self::KEY, UserId::parse)?,
            domain: row.text("domain")?.to_owned(),
            email: row.text("email")?.to_owned(),
            login: row.text("login")?.to_owned(),
            name: row.text("name")?.to_owned(),
            password: PasswordHash::from_stored(row.text("password")?.to_owned()),
            is_admin: row.flag("is_admin")?,
            is_blocked: row.flag("is_blocked")?,
            token_generation: row.number("token_generation")?,
            inserted_at: row.time("inserted_at")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        None
    }
}

/// Blocks a user; refused when there is none or it is blocked already.
#[must_use]
pub fn block() -> Change {
    set_block(true, "is_blocked = :not")
}

/// Lifts a block; refused when there is no user or no block.
#[must_use]
pub fn unblock() -> Change {
    set_block(false, "is_blocked = :not")
}

fn set_block(blocked: bool, condition: &'static str) -> Change {
    Change {
        update: "SET is_blocked = :blocked",
        condition,
        values: vec![
            (":blocked", AttributeValue::Bool(blocked)),
            (":not", AttributeValue::Bool(!blocked)),
        ],
    }
}

/// Ends every token of a user, in one write; refused when there is no such user.
#[must_use]
pub fn end_tokens() -> Change {
    Change {
        update: "ADD token_generation :one",
        condition: "attribute_exists(user_id)",
        values: vec![(":one", number(1))],
    }
}
