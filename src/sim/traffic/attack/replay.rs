//! Tokens in the wrong hands.

use super::super::calendar::{HOUR, MINUTE, SECOND};
use super::super::caller::{Call, Token};
use super::super::event::TokenKind;
use super::super::label::Difficulty;
use super::super::network::Address;
use super::super::operation::Op;
use super::super::scene::{Scenario, Scene, When};

const MINTERS: &[&str] = &["web", "mobile", "support"];

pub(super) const SCENES: &[Scenario] = &[
    Scenario {
        name: "token_elsewhere",
        categories: &["token_replay", "new_origin"],
        needs: MINTERS,
        when: When::Any,
        hours: [1, 1, 1],
        play: elsewhere,
    },
    Scenario {
        name: "token_two_callers",
        categories: &["token_replay"],
        needs: MINTERS,
        when: When::Any,
        hours: [1, 1, 1],
        play: two_callers,
    },
    Scenario {
        name: "token_many_addresses",
        categories: &["token_replay", "new_origin"],
        needs: MINTERS,
        when: When::Any,
        hours: [1, 1, 1],
        play: many_addresses,
    },
    Scenario {
        name: "token_never_minted",
        categories: &["token_replay", "novelty"],
        needs: MINTERS,
        when: When::Any,
        hours: [1, 1, 3],
        play: never_minted,
    },
    Scenario {
        name: "token_two_countries",
        categories: &["token_replay", "new_origin"],
        needs: MINTERS,
        when: When::Any,
        hours: [1, 1, 1],
        play: two_countries,
    },
    Scenario {
        name: "bank_token_elsewhere",
        categories: &["token_replay", "new_origin"],
        needs: &["hooks", "ticker", "recon", "web"],
        when: When::Any,
        hours: [1, 1, 1],
        play: bank_elsewhere,
    },
    Scenario {
        name: "bank_token_for_customers",
        categories: &["token_type", "exfil", "novelty"],
        needs: &["web", "mobile"],
        when: When::Any,
        hours: [1, 2, 5],
        play: bank_for_customers,
    },
    Scenario {
        name: "direct_login_elsewhere",
        categories: &["token_replay", "new_origin"],
        needs: &["aisp"],
        when: When::Any,
        hours: [1, 1, 2],
        play: direct_login,
    },
    Scenario {
        name: "api_key_elsewhere",
        categories: &["new_origin", "token_replay"],
        needs: &["ramp"],
        when: When::Any,
        hours: [1, 2, 4],
        play: api_key,
    },
    Scenario {
        name: "caller_key_elsewhere",
        categories: &["new_origin"],
        needs: &["web", "hooks", "recon"],
        when: When::Any,
        hours: [1, 2, 4],
        play: caller_elsewhere,
    },
];

/// What is done with a token: read, and in the loud case pay.
fn use_token(
    scene: &mut Scene<'_>,
    token: Token,
    from: Address,
    at: i64,
    count: u64,
    pause: i64,
) -> i64 {
    let mut at = at;
    for n in 0..count {
        let op = match (n, scene.difficulty) {
            (_, Difficulty::Easy) if n % 4 == 3 => Op::TransfersCreate,
            (0, _) => Op::AccountsList,
            _ => scene.random.pick(
                &[Op::TransfersList, Op::AccountsGet, Op::CustomersGet],
                Op::AccountsList,
            ),
        };
        let call = token.call(op);
        at = scene.call(at, from, call) + pause;
    }
    at
}

/// A live token of the caller's, or one that it mints for the purpose.
fn live(scene: &mut Scene<'_>) -> Token {
    if let Some(token) = scene.stolen() {
        return token;
    }
    // Nobody was there: the owner comes first.
    let own = scene.own();
    let (at, scopes) = (scene.at, scene.scopes());
    let subject = scene.visitor();
    let key = scene.bank_key(at - 40 * SECOND, own);
    let token = scene.mint(at - 30 * SECOND, own, key, subject, scopes);
    let call = token.call(Op::AccountsList);
    scene.call(token.from + 400, own, call);
    token
}

/// A customer's token from another network.
fn elsewhere(scene: &mut Scene<'_>) {
    let token = live(scene);
    let from = scene.elsewhere();
    let (count, pause) = scene.by((30, 800), (8, 9_000), (2, 60_000));
    let at = scene.at;
    use_token(scene, token, from, at, count, pause);
}

/// A token that one service minted, used by another.
fn two_callers(scene: &mut Scene<'_>) {
    let token = live(scene);
    let Some(other) = scene.other(&["hooks", "recon", "ticker", "signup"]) else {
        return;
    };
    let id = scene
        .tenant
        .callers
        .get(other)
        .map_or(0, |caller| caller.id);
    let from = match scene.difficulty {
        Difficulty::Easy => scene.abroad(),
        _ => scene
            .tenant
            .callers
            .get(other)
            .and_then(|caller| caller.addresses.first().copied())
            .unwrap_or(scene.own()),
    };
    let own = scene.world_caller(id);
    let (count, pause) = scene.by((30, 900), (8, 12_000), (2, 50_000));
    let at = scene.at;
    use_token(scene, token, from, at, count, pause);
    scene.restore_caller(own);
}

/// One token from a botnet.
fn many_addresses(scene: &mut Scene<'_>) {
    let token = live(scene);
    let count = scene.by(25, 8, 4);
    let mut at = scene.at;
    for _ in 0..count {
        let from = scene.elsewhere();
        at = use_token(scene, token, from, at, 1, scene.by(2_000, 20_000, 60_000));
    }
}

/// Tokens that Egret has not seen minted: made with credentials that leaked from the house.
fn never_minted(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (tokens, gap) = scene.by((40, 5.0), (10, 120.0), (3, 2_400.0));
    for at in scene.moments(tokens, gap * 1_000.0) {
        let subject = scene.visitor();
        let token = Token {
            kind: TokenKind::Customer,
            token: scene.random.name(),
            subject,
            from: at,
            to: at + 20 * MINUTE,
        };
        use_token(scene, token, from, at, scene.by(4, 3, 3), 4_000);
    }
}

/// Within minutes in two countries.
fn two_countries(scene: &mut Scene<'_>) {
    let token = live(scene);
    let places = scene.by(3, 2, 1);
    let mut at = scene.at;
    for _ in 0..places {
        let from = scene.abroad();
        at = use_token(scene, token, from, at, scene.by(6, 3, 1), 5_000)
            + scene.by(30, 120, 300) * SECOND;
    }
}

/// The bank's token from another network, listing customers.
fn bank_elsewhere(scene: &mut Scene<'_>) {
    let own = scene.own();
    let at = scene.at;
    let key = scene.bank_key(at - MINUTE, own);
    let from = scene.elsewhere();
    let (count, pause) = scene.by((60, 700), (12, 8_000), (3, 70_000));
    let mut at = at;
    for n in 0..count {
        let op = if n % 3 == 2 {
            Op::AccountsList
        } else {
            Op::CustomersList
        };
        let call =
            Call::new(op, TokenKind::Bank, key).with_pii(scene.difficulty == Difficulty::Easy);
        at = scene.call(at, from, call) + pause;
    }
}

/// The bank's token for what this service does with customers' tokens.
fn bank_for_customers(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((300, 1.5), (90, 40.0), (60, 240.0));
    let subjects = scene.quiet_subjects(count);
    let mut errand = scene.errand_inside(from);
    for (at, subject) in scene.moments_of(subjects, count, gap) {
        let key = errand.key(scene, at);
        let op = scene.random.pick(
            &[Op::CustomersGet, Op::AccountsList, Op::BankAccountsList],
            Op::AccountsList,
        );
        scene.call(
            at + 100,
            from,
            Call::new(op, TokenKind::Bank, key).about(subject),
        );
    }
}

/// A DirectLogin token, which lives four weeks, from another network.
fn direct_login(scene: &mut Scene<'_>) {
    let at = scene.at;
    // In order of value, since a map has none.
    let mut held: Vec<Token> = scene.caller().map_or_else(Vec::new, |caller| {
        caller
            .sessions
            .values()
            .filter(|token| token.from < at)
            .copied()
            .collect()
    });
    held.sort_by_key(|token| token.token);
    let Some(token) = scene.random.pick_some(&held) else {
        return;
    };
    let from = scene.elsewhere();
    let (count, pause) = scene.by((40, 1_000), (10, 20_000), (3, 900_000));
    let mut at = at;
    for _ in 0..count {
        let op = scene.random.pick(
            &[Op::ObpAccounts, Op::ObpTransactions, Op::ObpBalances],
            Op::ObpAccounts,
        );
        at = scene.call(at, from, token.call(op)) + pause;
    }
}

/// The signed API's key from another network.
fn api_key(scene: &mut Scene<'_>) {
    let from = scene.elsewhere();
    let key = scene.signed_key();
    let subject = scene.tenant.site.people.signed_account(1);
    let (count, gap) = scene.by((80, 2.0), (20, 90.0), (5, 2_000.0));
    for at in scene.moments(count, gap * 1_000.0) {
        let op = scene.random.pick(
            &[
                Op::WyreAccountGet,
                Op::WyreTransfersList,
                Op::WyreRates,
                Op::WyrePaymentMethods,
            ],
            Op::WyreRates,
        );
        scene.call(
            at,
            from,
            Call::new(op, TokenKind::ApiKey, key).about(subject),
        );
    }
}

/// A service's whole identity used from elsewhere, doing what it always does.
fn caller_elsewhere(scene: &mut Scene<'_>) {
    let from = scene.elsewhere();
    let (count, gap) = scene.by((120, 5.0), (30, 120.0), (10, 1_200.0));
    let mut errand = scene.errand_outside(from);
    for at in scene.moments(count, gap * 1_000.0) {
        if at > scene.at + 4 * HOUR {
            break;
        }
        let key = errand.key(scene, at);
        let op = scene.random.pick(
            &[Op::TransfersList, Op::AccountsList, Op::TransfersGet],
            Op::TransfersGet,
        );
        scene.call(at + 200, from, Call::new(op, TokenKind::Bank, key));
    }
}
