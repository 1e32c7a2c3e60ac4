//! What goes wrong. Each scene has three difficulties: easy is loud and from abroad, medium from a
//! host in the same country and slower, hard from inside, in busy hours, slow, and as much like
//! everyday life as its aim allows.

mod access;
mod auth;
mod mint;
mod money;
mod read;
mod replay;

use super::scene::Scenario;

/// Every attack.
pub(super) const ATTACKS: &[&[Scenario]] = &[
    mint::SCENES,
    auth::SCENES,
    replay::SCENES,
    read::SCENES,
    money::SCENES,
    access::SCENES,
];
