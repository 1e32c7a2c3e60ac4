//! Access is given away: views and users of the Open Bank Project, keys, origins, callbacks.

use super::super::calendar::{MINUTE, SECOND};
use super::super::caller::Call;
use super::super::event::{Target, TokenKind};
use super::super::habit::Habit;
use super::super::label::Difficulty;
use super::super::network::Address;
use super::super::operation::Op;
use super::super::scene::{Scenario, Scene, When};

const OBP: &[&str] = &["obp-admin"];

pub(super) const SCENES: &[Scenario] = &[
    Scenario {
        name: "obp_grant_burst",
        categories: &["privilege"],
        needs: OBP,
        when: When::Any,
        hours: [1, 1, 2],
        play: grant_burst,
    },
    Scenario {
        name: "obp_owner_view",
        categories: &["privilege"],
        needs: OBP,
        when: When::Any,
        hours: [1, 1, 1],
        play: owner_view,
    },
    Scenario {
        name: "obp_system_view",
        categories: &["privilege"],
        needs: OBP,
        when: When::Any,
        hours: [1, 1, 1],
        play: system_view,
    },
    Scenario {
        name: "obp_grant_read_revoke",
        categories: &["privilege"],
        needs: OBP,
        when: When::Any,
        hours: [1, 2, 5],
        play: grant_read_revoke,
    },
    Scenario {
        name: "obp_entitlement",
        categories: &["privilege", "novelty"],
        needs: OBP,
        when: When::Any,
        hours: [1, 1, 1],
        play: entitlement,
    },
    Scenario {
        name: "obp_dauth_users",
        categories: &["privilege"],
        needs: &["dapp"],
        when: When::Any,
        hours: [1, 2, 6],
        play: dauth_users,
    },
    Scenario {
        name: "obp_dauth_network",
        categories: &["privilege", "novelty"],
        needs: &["dapp"],
        when: When::Any,
        hours: [1, 1, 2],
        play: dauth_network,
    },
    Scenario {
        name: "obp_grants_by_reader",
        categories: &["privilege", "novelty"],
        needs: &["aisp", "dapp"],
        when: When::Any,
        hours: [1, 1, 2],
        play: by_reader,
    },
    Scenario {
        name: "obp_consent_abuse",
        categories: &["privilege", "novelty", "token_replay"],
        needs: &["aisp"],
        when: When::Any,
        hours: [1, 2, 6],
        play: consents,
    },
    Scenario {
        name: "cors_origin_changed",
        categories: &["privilege", "novelty"],
        needs: &["web", "recon", "console"],
        when: When::Any,
        hours: [1, 1, 1],
        play: cors,
    },
    Scenario {
        name: "api_key_made",
        categories: &["privilege", "novelty"],
        needs: &["console", "web"],
        when: When::Any,
        hours: [1, 1, 1],
        play: api_key,
    },
    Scenario {
        name: "callback_redirected",
        categories: &["privilege", "novelty"],
        needs: &["ramp", "console"],
        when: When::Any,
        hours: [1, 1, 1],
        play: callback,
    },
    Scenario {
        name: "firewall_opened",
        categories: &["privilege", "novelty"],
        needs: &["ramp"],
        when: When::Any,
        hours: [1, 1, 2],
        play: firewall,
    },
];

/// A DirectLogin token of the caller's: its own, or one signed in for.
fn login(scene: &mut Scene<'_>, from: Address) -> u64 {
    let at = scene.at;
    match scene.held(at) {
        Some(held) if scene.difficulty != Difficulty::Easy => held.token,
        _ => scene.sign_in(at - 3 * SECOND, from, 0).token,
    }
}

fn account(scene: &mut Scene<'_>) -> u64 {
    scene.tenant.site.people.obp_user(scene.random.below(400))
}

fn grant(scene: &mut Scene<'_>, op: Op, key: u64, user: u64, view: &'static str) -> Call {
    let mut call = Call::new(op, TokenKind::DirectLogin, key).about(account(scene));
    call.target = Target::User(user);
    call.view = view;
    call
}

/// A stranger gets views on account after account.
fn grant_burst(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let key = login(scene, from);
    let user = scene.random.name();
    let (count, gap) = scene.by((60, 2.0), (15, 60.0), (5, 900.0));
    for at in scene.moments(count, gap * 1_000.0) {
        let call = grant(scene, Op::ObpGrant, key, user, "auditor");
        scene.call(at, from, call);
    }
}

/// A stranger becomes owner.
fn owner_view(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let key = login(scene, from);
    let user = scene.random.name();
    let (count, gap) = scene.by((8, 5.0), (3, 60.0), (1, 60.0));
    for at in scene.moments(count, gap * 1_000.0) {
        let call = grant(scene, Op::ObpGrant, key, user, "owner");
        scene.call(at, from, call);
    }
}

/// Views that show whole banks.
fn system_view(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let key = login(scene, from);
    let user = scene.random.name();
    let (count, gap) = scene.by((10, 5.0), (3, 60.0), (1, 60.0));
    for at in scene.moments(count, gap * 1_000.0) {
        let view = scene
            .random
            .pick(&["firehose", "ManageCustomViews", "_public"], "firehose");
        let call = grant(scene, Op::ObpGrant, key, user, view);
        scene.call(at, from, call);
    }
}

/// Access for a minute, and the trace removed.
fn grant_read_revoke(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let key = login(scene, from);
    let (count, gap) = scene.by((30, 20.0), (8, 400.0), (4, 3_000.0));
    let user = scene.random.name();
    for at in scene.moments(count, gap * 1_000.0) {
        let give = grant(scene, Op::ObpGrant, key, user, "accountant");
        let then = scene.call(at, from, give);
        let read = Call::new(Op::ObpTransactions, TokenKind::DirectLogin, key).about(give.subject);
        let then = scene.call(then + scene.by(800, 9_000, 60_000), from, read);
        let mut take = give;
        take.op = Op::ObpRevoke;
        scene.call(then + scene.by(800, 9_000, 120_000), from, take);
    }
}

/// A role that rules them all.
fn entitlement(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let key = login(scene, from);
    let user = scene.random.name();
    let count = scene.by(10, 3, 1);
    for at in scene.moments(count, 20_000.0) {
        let mut call = Call::new(Op::ObpEntitlement, TokenKind::DirectLogin, key);
        call.target = Target::User(user);
        scene.call(at, from, call);
    }
}

/// Contracts that nobody has seen become users with access.
fn dauth_users(scene: &mut Scene<'_>) {
    dauth(scene, "ETHEREUM", (40, 10.0), (12, 200.0), (6, 2_400.0));
}

/// A network that this caller never spoke for.
fn dauth_network(scene: &mut Scene<'_>) {
    dauth(scene, "BSC", (15, 10.0), (4, 120.0), (1, 100.0));
}

fn dauth(
    scene: &mut Scene<'_>,
    network: &'static str,
    easy: (u64, f64),
    medium: (u64, f64),
    hard: (u64, f64),
) {
    let from = scene.origin();
    let key = login(scene, from);
    let network = match scene.caller().map(|caller| caller.habit) {
        Some(Habit::Dauth { network: usual, .. }) if network == "ETHEREUM" => usual,
        _ => network,
    };
    let (count, gap) = scene.by(easy, medium, hard);
    for at in scene.moments(count, gap * 1_000.0) {
        let contract = Target::Contract(network, scene.random.name());
        let mut call =
            Call::new(Op::ObpUserWithAccess, TokenKind::DirectLogin, key).about(account(scene));
        call.target = contract;
        call.view = scene.by("owner", "accountant", "accountant");
        let then = scene.call(at, from, call);
        let mut read =
            Call::new(Op::ObpTransactions, TokenKind::DirectLogin, key).about(call.subject);
        read.target = contract;
        scene.call(then + 2 * SECOND, from, read);
    }
}

/// A service that only reads gives access.
fn by_reader(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let key = login(scene, from);
    let user = scene.random.name();
    let (count, gap) = scene.by((20, 5.0), (5, 90.0), (2, 1_800.0));
    for at in scene.moments(count, gap * 1_000.0) {
        let call = grant(scene, Op::ObpGrant, key, user, "auditor");
        scene.call(at, from, call);
    }
}

/// Consents made in numbers and used from elsewhere.
fn consents(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let far = scene.elsewhere();
    let (count, gap) = scene.by((60, 5.0), (18, 150.0), (8, 2_000.0));
    for at in scene.moments(count, gap * 1_000.0) {
        let subject = scene.tenant.site.people.obp_user(scene.random.below(60));
        let token = scene.sign_in(at, from, subject);
        let make = token.call(Op::ObpConsentCreate);
        let then = scene.call(token.from + SECOND, from, make);
        let read = token.call(Op::ObpTransactions);
        scene.call(then + scene.by(SECOND, MINUTE, 4 * MINUTE), far, read);
    }
}

/// `cors_allowed_origins` of the bank, by a service that never sets it.
fn cors(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let at = scene.at;
    let key = scene.bank_key(at, from);
    let count = scene.by(4, 2, 1);
    for at in scene.moments(count, 30_000.0) {
        scene.call(
            at + 500,
            from,
            Call::new(Op::BanksUpdate, TokenKind::Bank, key),
        );
    }
}

/// API keys and users, which only the portal makes (Cybrid, since 0.129).
fn api_key(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let token = scene.mint_organization(scene.at, from);
    let mut then = token.from;
    let is_let = scene.random.chance(0.5);
    for _ in 0..scene.by(5, 2, 1) {
        then = scene.call(then + 2 * SECOND, from, token.call(Op::KeysList));
        for op in [Op::KeysCreate, Op::UsersCreate] {
            let call = token.call(op);
            if is_let {
                then = scene.call(then + 2 * SECOND, from, call);
            } else {
                then += 2 * SECOND;
                scene.refuse(then, from, call, 403);
            }
        }
    }
}

/// Where the bank sends its news is changed.
fn callback(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let at = scene.at;
    let (op, kind, key) = if scene.is_about("ramp") {
        (Op::WyreWebhookSet, TokenKind::ApiKey, scene.signed_key())
    } else {
        (
            Op::SubscriptionsCreate,
            TokenKind::Org,
            scene.bank_key(at, from),
        )
    };
    let count = scene.by(5, 2, 1);
    for at in scene.moments(count, 20_000.0) {
        scene.call(at + 400, from, Call::new(op, kind, key));
    }
}

/// The signed API's rate limit is lifted for an address, and a key made without a list of addresses.
fn firewall(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let key = scene.signed_key();
    let count = scene.by(5, 2, 1);
    for at in scene.moments(count, 600_000.0) {
        let then = scene.call(at, from, Call::new(Op::WyrePermit, TokenKind::ApiKey, key));
        scene.call(
            then + 5 * SECOND,
            from,
            Call::new(Op::WyreKeysCreate, TokenKind::ApiKey, key),
        );
    }
}
