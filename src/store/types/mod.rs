//! Types that cross the store's face. They speak of orders and deliveries, and of no database.

mod action;
mod alert;
mod circuit;
mod claim;
mod cursor;
mod delivery;
mod fetch;
mod notification;
mod number;
mod parked;
mod placement;
mod processing;
mod quarantine;
mod queries;
mod removal;
mod retention;
mod retention_report;
mod service_alert;
mod summary;
mod target;
mod timeline;
mod unreadable;

pub use action::{ActionFilter, ActionRow, NewAction};
pub use alert::{AlertChanges, AlertRow, RecordedAlert, ResolvedAlert};
pub use circuit::Circuit;
pub use claim::{Claim, ClaimOrder, ClaimRequest, Claimed, Rate};
pub use cursor::Cursor;
pub use delivery::{Accepted, DeliveryContent, NewDelivery};
pub use fetch::{FetchResult, Recorded, WatchRequest};
pub use notification::{
    EventPage, FeedEvent, FeedRequest, NOTIFICATION_PHASES, NotificationClaim, NotificationFilter,
    NotificationOutcome, NotificationRequest, NotificationResult, NotificationRow,
    NotificationsClaimed, TargetRow, TestEvent,
};
pub use number::{DueNumber, NextNumber, NumberChange, NumberFetchResult, NumberRecorded};
pub use parked::{Dismissed, Kept, ParkedDelivery, ParkedFound};
pub use placement::{
    NewPlacement, NewStep, Ordered, PlacementFound, PlacementRow, StepBegun, StepEnded, StepRow,
    StepUpdate,
};
pub use processing::{ProcessReport, ProcessRequest, Processed};
pub use quarantine::{
    NewQuarantined, Origin, QuarantineFilter, QuarantinePart, QuarantineReason, QuarantineRow,
    Quarantined, Quarantining,
};
pub use queries::{
    AlertQuery, Body, DELIVERY_PHASES, DeliveryFilter, DeliveryKind, DeliveryRow, FetchRow, Found,
    ListedDelivery, Listing, NumberQuery, NumberRow, OrderDetail, OrderFilter, OrderRow,
    TransitionRow,
};
pub use removal::{Holdings, Unwatched};
pub use retention::{Pruned, RetentionPeriods};
pub use retention_report::{KindReport, Precision, RetentionKind, RowCount, StayReason};
pub use service_alert::{Observed, ServiceAlertChanges, ServiceAlertRow};
pub use summary::{Convergence, Standing, StateCount, Summary};
pub use target::TargetSettings;
pub use timeline::{AlertFilter, AnyAlert, ListedAlert, ListedTransition, Span, TransitionFilter};
pub use unreadable::UnreadableRow;
