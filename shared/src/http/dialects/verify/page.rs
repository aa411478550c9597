//! Lists: a page of them, and how to get to the others.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{Error, Form};
use crate::http::call::Call;

/// The page of a list that a caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// The number of elements on a page: 50 by default.
    #[param(rename = "PageSize", value_type = Option<usize>, minimum = 1, maximum = 1000, example = 50)]
    pub(super) page_size: usize,
    /// The page: the first is 0.
    #[param(rename = "Page", value_type = Option<usize>, minimum = 0, example = 0)]
    pub(super) page: usize,
}

/// The page, and the addresses of the others.
#[derive(Debug, Serialize, ToSchema)]
pub struct PageMeta {
    /// The page: the first is 0.
    #[schema(example = 0)]
    page: usize,
    /// The number of elements on a page.
    #[schema(example = 50)]
    page_size: usize,
    /// The first page.
    #[schema(format = "uri")]
    first_page_url: String,
    /// The page before this one; `null` before the first.
    #[schema(required = true, format = "uri")]
    previous_page_url: Option<String>,
    /// The page after this one; `null` after the last.
    #[schema(required = true, format = "uri")]
    pub(super) next_page_url: Option<String>,
    /// The key of the list.
    key: &'static str,
    /// This page.
    #[schema(format = "uri")]
    url: String,
}

impl Paging {
    /// Reads the query.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a number is out of range; a malformed request when the query cannot be parsed.
    pub fn read(call: &Call) -> Result<Self, Error> {
        let query = Form::query(call)?;
        let size = |number| usize::try_from(number).ok().filter(|size| (1..=1000).contains(size));
        let page = |number| usize::try_from(number).ok().filter(|page| u32::try_from(*page).is_ok());
        Ok(Self {
            page_size: query.number("PageSize", size)?.unwrap_or(50),
            page: query.number("Page", page)?.unwrap_or(0),
        })
    }

    /// The elements on the page.
    #[must_use]
    pub fn of<'a, T>(&self, all: &'a [T]) -> &'a [T] {
        let start = self.page.saturating_mul(self.page_size).min(all.len());
        let end = start.saturating_add(self.page_size).min(all.len());
        &all[start..end]
    }

    /// The page of a list of `count` elements at `url`, under this key.
    #[must_use]
    pub fn meta(&self, url: &str, key: &'static str, count: usize) -> PageMeta {
        self.meta_of(url, "", key, count)
    }

    /// The page of a list of the `count` elements that the rest of the query asks for: `given`, each condition after a `&`.
    #[must_use]
    pub fn meta_of(&self, url: &str, given: &str, key: &'static str, count: usize) -> PageMeta {
        let Self { page_size, page } = *self;
        let at = |page: usize| format!("{url}?PageSize={page_size}&Page={page}{given}");
        let has_next = page.saturating_add(1).saturating_mul(page_size) < count;
        PageMeta {
            page,
            page_size,
            first_page_url: at(0),
            previous_page_url: page.checked_sub(1).map(at),
            next_page_url: has_next.then(|| at(page + 1)),
            key,
            url: at(page),
        }
    }

    /// The page of a list that is read by tokens: the one of this page, and the one of the next page if there is one.
    #[must_use]
    pub fn meta_by_token(&self, url: &str, key: &'static str, (token, next): (Option<&str>, Option<&str>)) -> PageMeta {
        let Self { page_size, page } = *self;
        let at = |page: usize, token: Option<&str>| {
            let token = token.map(|token| format!("&PageToken={token}")).unwrap_or_default();
            format!("{url}?PageSize={page_size}&Page={page}{token}")
        };
        PageMeta {
            page,
            page_size,
            first_page_url: at(0, None),
            previous_page_url: None,
            next_page_url: next.map(|next| at(page.saturating_add(1), Some(next))),
            key,
            url: at(page, token),
        }
    }
}
