//! Actions: what operators had the service do, and who they were.

use serde::Serialize;
use utoipa::ToSchema;

use super::Cursor;
use number_order::Time;

/// An action that is about to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAction {
    /// Time at which its request came.
    pub acted_at: Time,
    /// Name of the caller's token; `None`: no token is needed here.
    pub caller: Option<String>,
    /// Method of the request.
    pub method: String,
    /// Path of the request, which names the action and its subject.
    pub path: String,
}

/// An action that is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ActionRow {
    /// Row of the action.
    pub id: i64,
    /// Time at which its request came.
    pub acted_at: Time,
    /// Name of the caller's token; `null`: no token was needed.
    pub caller: Option<String>,
    /// Method of the request.
    pub method: String,
    /// Path of the request, which names the action and its subject.
    pub path: String,
    /// Beginning of the request's body, once the action has ended; `null`: none was read.
    pub body: Option<String>,
    /// Status of the answer; `null`: the service ended before it could record one, so the action may have taken effect.
    pub status: Option<u16>,
}

/// Filter of a listing of actions. An absent value leaves no action out.
#[derive(Clone, Debug, Default)]
pub struct ActionFilter {
    /// Name of the caller's token.
    pub caller: Option<String>,
    /// Earliest time of the actions.
    pub since: Option<Time>,
    /// Time before which the actions came.
    pub until: Option<Time>,
    /// `true` lists the newest actions first, `false` the oldest.
    pub newest_first: bool,
    /// End of an earlier page, after which this page begins.
    pub after: Option<Cursor>,
    /// Maximum number of actions.
    pub limit: u32,
}
