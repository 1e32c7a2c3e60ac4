//! Too much is read, counted or left undone.

use super::super::calendar::{HOUR, MINUTE};
use super::super::caller::Call;
use super::super::event::TokenKind;
use super::super::label::Difficulty;
use super::super::operation::Op;
use super::super::scene::{Scenario, Scene, When};
use super::super::site::What;

pub(super) const SCENES: &[Scenario] = &[
    Scenario {
        name: "pii_bulk",
        categories: &["pii", "exfil"],
        needs: &["support", "web", "recon"],
        when: When::Any,
        hours: [1, 2, 8],
        play: pii_bulk,
    },
    Scenario {
        name: "pii_by_bank_token",
        categories: &["pii", "exfil", "token_type"],
        needs: &["hooks", "recon", "signup"],
        when: When::Any,
        hours: [1, 2, 6],
        play: pii_by_bank_token,
    },
    Scenario {
        name: "list_exfil",
        categories: &["exfil", "volume"],
        needs: &["recon", "hooks", "web"],
        when: When::Any,
        hours: [1, 1, 4],
        play: list_exfil,
    },
    Scenario {
        name: "id_enumeration",
        categories: &["enumeration"],
        needs: &["web", "hooks", "mobile"],
        when: When::Any,
        hours: [1, 2, 8],
        play: enumeration,
    },
    Scenario {
        name: "objects_guessed",
        categories: &["enumeration"],
        needs: &["web", "mobile"],
        when: When::Work,
        hours: [1, 1, 1],
        play: objects_guessed,
    },
    Scenario {
        name: "document_grab",
        categories: &["pii", "novelty", "exfil"],
        needs: &["support", "signup", "web"],
        when: When::Any,
        hours: [1, 2, 5],
        play: documents,
    },
    Scenario {
        name: "night_reading",
        categories: &["off_hours"],
        needs: &["support", "console"],
        when: When::Night,
        hours: [1, 1, 2],
        play: night_reading,
    },
    Scenario {
        name: "volume_spike",
        categories: &["volume"],
        needs: &["hooks", "ticker", "ramp"],
        when: When::Any,
        hours: [1, 1, 2],
        play: spike,
    },
    Scenario {
        name: "one_account_hammered",
        categories: &["account_abuse", "volume"],
        needs: &["web", "mobile"],
        when: When::Any,
        hours: [1, 1, 2],
        play: hammered,
    },
    Scenario {
        name: "silence",
        categories: &["volume"],
        needs: &["ticker"],
        when: When::Any,
        hours: [8, 5, 3],
        play: silence,
    },
    Scenario {
        name: "reader_turns_writer",
        categories: &["novelty", "new_identity", "scope"],
        needs: &["hooks", "ticker", "recon"],
        when: When::Any,
        hours: [1, 1, 3],
        play: turns_writer,
    },
    Scenario {
        name: "production_from_tests",
        categories: &["env_mix"],
        needs: &["ci"],
        when: When::Any,
        hours: [1, 1, 2],
        play: production_from_tests,
    },
    Scenario {
        name: "sandbox_from_production",
        categories: &["env_mix"],
        needs: &["web", "recon", "support"],
        when: When::Any,
        hours: [1, 1, 2],
        play: sandbox_from_production,
    },
    Scenario {
        name: "obp_transactions_harvest",
        categories: &["exfil", "pii", "volume"],
        needs: &["aisp"],
        when: When::Any,
        hours: [1, 2, 6],
        play: harvest,
    },
    Scenario {
        name: "wyre_accounts_harvest",
        categories: &["exfil", "pii", "account_abuse"],
        needs: &["ramp"],
        when: When::Any,
        hours: [1, 2, 6],
        play: wyre_harvest,
    },
];

/// Personal data of many customers, through tokens of their own.
fn pii_bulk(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((400, 2.0), (120, 35.0), (90, 280.0));
    let subjects = scene.quiet_subjects(count);
    let mut errand = scene.errand(from);
    for (at, subject) in scene.moments_of(subjects, count, gap) {
        let token = errand.mint(scene, at, 100, subject);
        let call = token.call(Op::CustomersGet).with_pii(true);
        let then = scene.call(token.from + 400, from, call);
        if scene.difficulty == Difficulty::Hard {
            let call = token.call(Op::AccountsList);
            scene.call(then + 7_000, from, call);
        }
    }
}

/// Personal data of one customer after the other with the bank's token.
fn pii_by_bank_token(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((500, 1.5), (140, 45.0), (80, 250.0));
    let subjects = scene.quiet_subjects(count);
    let mut errand = scene.errand_inside(from);
    for (at, subject) in scene.moments_of(subjects, count, gap) {
        let key = errand.key(scene, at);
        let call = Call::new(Op::CustomersGet, TokenKind::Bank, key)
            .about(subject)
            .with_pii(true);
        scene.call(at + 100, from, call);
    }
}

/// Page after page of everything.
fn list_exfil(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((900, 1.2), (300, 9.0), (220, 60.0));
    let mut errand = scene.errand_inside(from);
    for at in scene.moments(count, gap * 1_000.0) {
        let key = errand.key(scene, at);
        let op = scene.random.pick(
            &[
                Op::CustomersList,
                Op::TransfersList,
                Op::CounterpartiesList,
                Op::BankAccountsList,
            ],
            Op::CustomersList,
        );
        let pii = scene.difficulty == Difficulty::Easy;
        scene.call(
            at + 50,
            from,
            Call::new(op, TokenKind::Bank, key).with_pii(pii),
        );
    }
}

/// Identifiers tried one after the other: mostly 404.
fn enumeration(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((600, 0.5), (120, 30.0), (60, 420.0));
    let found = scene.by(0.0, 0.05, 0.2);
    let mut errand = scene.errand_inside(from);
    for at in scene.moments(count, gap * 1_000.0) {
        let key = errand.key(scene, at);
        let op = scene.random.pick(
            &[Op::CustomersGet, Op::AccountsGet, Op::TransfersGet],
            Op::CustomersGet,
        );
        if scene.random.chance(found) {
            let customer = scene.tenant.site.people.anyone(&mut scene.random);
            let subject = scene.tenant.site.people.subject(customer);
            scene.call(
                at + 50,
                from,
                Call::new(op, TokenKind::Bank, key).about(subject),
            );
        } else {
            let subject = scene.random.name();
            scene.refuse(
                at + 50,
                from,
                Call::new(op, TokenKind::Bank, key).about(subject),
                404,
            );
        }
    }
}

/// Accounts and trades counted through with one customer's good token: nothing but 404.
fn objects_guessed(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((300, 0.5), (60, 8.0), (30, 45.0));
    let subject = scene.visitor();
    let at = scene.at;
    let mut errand = scene.errand_inside(from);
    let mut token = errand.mint(scene, at, 0, subject);
    for at in scene.moments(count, gap * 1_000.0) {
        token = errand.renewed(scene, at, MINUTE, token);
        let op = scene.random.pick(
            &[Op::AccountsGet, Op::TradesGet, Op::TransfersGet],
            Op::AccountsGet,
        );
        let call = token.call(op);
        let at = at.max(token.from) + 100;
        if scene.random.chance(0.04) {
            scene.call(at, from, call);
        } else {
            scene.refuse(at, from, call, 404);
        }
    }
}

/// Identity papers, which nobody here downloads.
fn documents(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((150, 4.0), (40, 120.0), (14, 1_200.0));
    let subjects = scene.quiet_subjects(count);
    let mut errand = scene.errand_inside(from);
    for (at, subject) in scene.moments_of(subjects, count, gap) {
        let key = errand.key(scene, at);
        let list = Call::new(Op::FilesList, TokenKind::Bank, key).about(subject);
        let then = scene.call(at + 50, from, list);
        let file = Call::new(Op::FilesGet, TokenKind::Bank, key)
            .about(subject)
            .with_pii(true);
        scene.call(then + 500, from, file);
    }
}

/// Staff who are asleep read.
fn night_reading(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((150, 10.0), (30, 60.0), (9, 400.0));
    let at = scene.at;
    let mut key = if scene.is_about("console") {
        scene.bank_key(at, from)
    } else {
        scene.bank_key_by_secret(at, from)
    };
    for (n, at) in scene.moments(count, gap * 1_000.0).into_iter().enumerate() {
        if n % 60 == 59 {
            key = scene.bank_key_by_secret(at, from);
        }
        let op = scene.random.pick(
            &[Op::CustomersList, Op::TransfersList, Op::AccountsList],
            Op::CustomersList,
        );
        scene.call(at + 900, from, Call::new(op, TokenKind::Bank, key));
    }
}

/// Many times the usual number of the usual calls.
fn spike(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((9_000, 0.12), (3_000, 0.8), (1_500, 3.0));
    let is_wyre = scene.is_about("ramp");
    let api_key = scene.signed_key();
    let mut errand = scene.errand_inside(from);
    for at in scene.moments(count, gap * 1_000.0) {
        let call = if is_wyre {
            Call::new(Op::WyreRates, TokenKind::ApiKey, api_key)
        } else {
            let key = errand.key(scene, at);
            let op = scene
                .random
                .pick(&[Op::TransfersGet, Op::TradesGet], Op::TransfersGet);
            Call::new(op, TokenKind::Bank, key)
        };
        scene.call(at, from, call);
    }
}

/// One customer's account, far more often than anybody's.
fn hammered(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((2_500, 0.4), (700, 3.0), (420, 12.0));
    let subject = scene.visitor();
    let at = scene.at;
    let mut errand = scene.errand(from);
    let mut token = errand.mint(scene, at, 0, subject);
    for at in scene.moments(count, gap * 1_000.0) {
        token = errand.renewed(scene, at, MINUTE, token);
        let op = scene.random.pick(
            &[Op::QuotesCreate, Op::AccountsGet, Op::QuotesCreate],
            Op::QuotesCreate,
        );
        let call = token.call(op);
        scene.call(at.max(token.from) + 100, from, call);
    }
}

/// A service that always speaks says nothing: stopped, or led around the gateway.
fn silence(scene: &mut Scene<'_>) {
    let from = scene.at;
    let to = from + scene.by(8, 5, 3) * HOUR;
    // Changes take effect hour by hour, and none before it begins.
    let from = (from / HOUR + 1) * HOUR;
    scene.change(from, to, What::Rate(0.0));
    scene.frame(to, false);
}

/// A service that only reads begins to pay.
fn turns_writer(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((40, 10.0), (10, 90.0), (3, 1_800.0));
    let mut errand = scene.errand_inside(from);
    for at in scene.moments(count, gap * 1_000.0) {
        let key = errand.key(scene, at);
        let mut then = at;
        for op in [Op::QuotesCreate, Op::TransfersCreate] {
            then = scene.call(then + 300, from, Call::new(op, TokenKind::Bank, key));
        }
    }
}

/// The tests' identity reaches for production.
fn production_from_tests(scene: &mut Scene<'_>) {
    other_environment(scene, false);
}

/// A production service reaches for the sandbox, to try something out unseen.
fn sandbox_from_production(scene: &mut Scene<'_>) {
    other_environment(scene, true);
}

fn other_environment(scene: &mut Scene<'_>, sandbox: bool) {
    let from = scene.origin();
    let Some(caller) = scene.tenant.callers.get_mut(scene.who) else {
        return;
    };
    let usual = std::mem::replace(&mut caller.sandbox, sandbox);
    let at = scene.at;
    let key = scene.mint_bank(at, from, 14);
    let (count, gap) = scene.by((60, 4.0), (15, 60.0), (4, 1_000.0));
    for at in scene.moments(count, gap * 1_000.0) {
        let op = scene.random.pick(
            &[Op::CustomersList, Op::AccountsList, Op::BanksGet],
            Op::AccountsList,
        );
        scene.call(at + 400, from, Call::new(op, TokenKind::Bank, key));
    }
    if let Some(caller) = scene.tenant.callers.get_mut(scene.who) {
        caller.sandbox = usual;
    }
}

/// Transactions of many people of the Open Bank Project, with tokens of their own.
fn harvest(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((400, 1.5), (120, 40.0), (90, 200.0));
    for (n, at) in scene.moments(count, gap * 1_000.0).into_iter().enumerate() {
        let subject = scene.tenant.site.people.obp_user(n as u64);
        let token = scene.sign_in(at, from, subject);
        let pause = scene.by(100, 900, 4_000);
        let ops = [Op::ObpAccounts, Op::ObpTransactions];
        scene.in_turn(from, token, token.from, pause, &ops);
    }
}

/// Accounts of many customers with one signed key.
fn wyre_harvest(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((500, 1.0), (150, 30.0), (100, 180.0));
    let key = scene.signed_key();
    for (n, at) in scene.moments(count, gap * 1_000.0).into_iter().enumerate() {
        let subject = scene.tenant.site.people.signed_account(n as u64);
        let op = if n % 3 == 2 {
            Op::WyreTransfersList
        } else {
            Op::WyreAccountGet
        };
        scene.call(
            at,
            from,
            Call::new(op, TokenKind::ApiKey, key).about(subject),
        );
    }
}
