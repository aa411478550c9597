//! Users: one row each, by user id.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        id::UserId,
        name::{DisplayName, DomainName, EmailAddress, Login},
        password::PasswordHash,
        time::Timestamp,
        user::{Block, User},
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, number, options, text, time},
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
        let row = Writer::default()
            .with(Self::KEY, text(self.id.text()))
            .with("domain", text(self.domain.as_str()))
            .with("email", text(self.email.as_str()))
            .with("login", text(self.login.as_str()))
            .with("name", text(self.name.as_str()))
            .with("password", text(self.password.to_stored()))
            .with("opts", options(&self.opts))
            .with("is_admin", AttributeValue::Bool(self.is_admin))
            .with("token_generation", number(self.token_generation))
            .with("inserted_at", time(self.inserted_at));
        match self.block {
            Some(block) => row.with("block", text(block.name())),
            None => row,
        }
        .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            id: row.parsed(Self::KEY, UserId::parse)?,
            domain: row.parsed("domain", |text| DomainName::parse(text).ok())?,
            email: row.parsed("email", |text| EmailAddress::parse(text).ok())?,
            login: row.parsed("login", |text| Login::parse(text).ok())?,
            name: row.parsed("name", |text| DisplayName::parse(text).ok())?,
            password: PasswordHash::from_stored(row.text("password")?.to_owned()),
            opts: row.options("opts")?,
            is_admin: row.flag("is_admin")?,
            block: match row.has("block") {
                true => Some(row.parsed("block", Block::parse)?),
                false => None,
            },
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
pub fn block(block: Block) -> Change {
    Change {
        update: "SET #block = :block",
        condition: "attribute_exists(user_id) AND attribute_not_exists(#block)",
        values: vec![(":block", text(block.name()))],
    }
}

/// Lifts a block; refused when there is no user or no block.
#[must_use]
pub fn unblock() -> Change {
    Change {
        update: "REMOVE #block",
        condition: "attribute_exists(#block)",
        values: Vec::new(),
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

/// Sets a new password, and ends everything that was issued under the old one; a block made by failures goes, another
/// one stays. Refused when the generation, or the block that would go, is not what was read any more.
#[must_use]
pub fn set_password(read: &User, password: &PasswordHash) -> Change {
    let mut values = vec![
        (":new", text(password.to_stored())),
        (":one", number(1)),
        (":generation", number(read.token_generation)),
    ];
    let (update, condition) = match read.block {
        None | Some(Block::Decision) => (
            "SET password = :new ADD token_generation :one",
            "token_generation = :generation",
        ),
        Some(Block::Failures) => {
            values.push((":block", text(Block::Failures.name())));
            (
                "SET password = :new ADD token_generation :one REMOVE #block",
                "token_generation = :generation AND #block = :block",
            )
        }
    };
    Change {
        update,
        condition,
        values,
    }
}
