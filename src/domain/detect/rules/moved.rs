//! D2: a token that is used where it does not belong.

use serde::{Deserialize, Serialize};

use super::TOKEN_MOVED;
use crate::domain::detect::alert::Severity;
use crate::domain::detect::event::{Answer, TokenKind};
use crate::domain::detect::scene::{Call, Scene, Sign};
use crate::domain::detect::seen::{DAY, Known};

/// Nobody travels to another country so fast, and no cache hands a token on there.
const TRAVEL: u32 = 30 * 60;

/// A strange network that was told, and used since, is no news for so many seconds.
const NEWS: u32 = 3 * DAY;
/// Networks on the first day from which on a caller stands for many people.
const CROWD: usize = 8;

/// How often tokens of this caller were seen to change countries in ordinary use.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {
    travels: u32,
}

impl PerCaller {
    pub(in crate::domain::detect) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        let Some(token) = call.token else { return };
        let now = scene.now.second;
        if call.network == 0
            || token.network == 0
            || token.ends < now
            || call.place.own
            || matches!(call.event.token_kind, TokenKind::ApiKey | TokenKind::None)
            || call.answer == Answer::Unauthenticated
        {
            return;
        }
        let country = u16::from_be_bytes(call.place.country);
        let travelled = token.country != 0
            && country != 0
            && token.country != country
            && now.saturating_sub(token.used) < TRAVEL;
        if call.network == token.network && !travelled {
            return;
        }
        let same_asn = call.place.asn != 0 && call.place.asn == token.asn;
        let known = scene.profile.is_mature(now);
        let strange = call.novelty.is_strange() && (!same_asn || call.novelty.outside) && known;
        let far = travelled && (self.travels == 0 || call.novelty.country != Known::Learned);
        if !strange && !far {
            self.travels += u32::from(travelled);
            return;
        }
        let young = now.saturating_sub(scene.profile.first) < DAY;
        if young && !strange && (token.uses == 0 || scene.profile.networks.len() >= CROWD) {
            // Phones use what a server minted, wherever they are.
            self.travels += 1;
            return;
        }
        if far && !strange && (young || self.is_shared(scene, call)) {
            // A service that spreads over countries shows it on its first day.
            self.travels += 1;
            if !young || call.novelty.country == Known::Learned {
                return;
            }
        }
        let how = if travelled {
            "in another country within half an hour"
        } else {
            "from a network its caller never used"
        };
        let text = format!(
            "A live token of {} was used {how}: {} after it was last used elsewhere.",
            scene.profile.name,
            crate::domain::detect::scene::span(now.saturating_sub(token.used))
        );
        // It was told of this network, and who has moved uses every token there.
        let seen = scene.profile.networks.get(call.network);
        let told = call.novelty.network == Known::Quarantined
            && seen.is_some_and(|seen| now.saturating_sub(seen.last) < NEWS);
        let severity = if told && call.place.asn == 0 {
            Severity::Info
        } else if scene.is_sandbox() {
            Severity::Medium
        } else {
            Severity::High
        };
        scene.say(
            Sign::of(TOKEN_MOVED, call, text)
                .severity(severity)
                .key(call.network),
        );
    }

    /// Whether both ends are places where the caller is at home.
    fn is_shared(&self, scene: &Scene<'_>, call: &Call<'_>) -> bool {
        scene.profile.is_mature(scene.now.second) && call.novelty.network == Known::Learned
    }
}
