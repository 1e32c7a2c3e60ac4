//! Detection: pure state machines over events, in event time.
//!
//! An [`Event`] is shown to every detector; detectors say [signs](scene::Sign); signs become
//! incidents, and incidents [alerts](Alert). Nothing here reads a clock, a file or a random
//! number: the same events and settings give the same alerts, byte for byte, whether they come
//! live or are replayed, in one run or in several with a snapshot between them.
//!
//! `docs/design/detection.md` says what was chosen and why.

mod alert;
mod counter;
mod engine;
mod event;
mod hash;
mod incident;
mod line;
mod operation;
mod place;
mod profile;
mod row;
mod rows;
mod rules;
mod scene;
mod seen;
mod settings;
mod snapshot;
mod table;
mod tenant;
#[cfg(test)]
mod tests;
mod watch;

pub use alert::{Alert, Baseline, Severity};
pub use engine::{Detection, Figures, Position};
pub use event::{Environment, Event, Fault, Mint, TokenKind};
pub use line::{Line, LineFault, MAX_LINE};
pub use place::{NetworkList, NetworkMap, NoMap, Place, Prefix, country};
pub use row::{Row, RowFields, RowSubject};
pub use rules::{Family, RULES, Rule};
pub use settings::{Bounds, LoadTest, RuleSettings, Sensitivity, Settings};
pub use snapshot::SnapshotFault;
pub use watch::{Mark, Told, Watch, WatchFault};
