use proptest::prelude::*;

use super::*;

const NOW: Micros = Micros::from_secs(1_795_305_338);
const DAY: Duration = Duration::from_secs(86_400);

fn random(seed: u8) -> [u8; RANDOM_BYTES] {
    [seed; RANDOM_BYTES]
}

fn book() -> (CallerBook, NewKey) {
    CallerBook::default()
        .add("payments", Some(90 * DAY), NOW, &random(1))
        .unwrap()
}

#[test]
fn a_new_caller_gets_a_key_that_is_found_by_its_id() {
    let (book, new) = book();
    let (name, key) = book.key(&new.id).unwrap();
    assert_eq!(&**name, "payments");
    assert!(key.hash.matches(&KeyHash::of(new.key.expose().as_bytes())));
    assert_eq!(key.expires_at, Some(NOW.plus(90 * DAY)));
    assert!(book.has_usable_key(NOW));
    assert!(!book.has_usable_key(NOW.plus(90 * DAY)));
}

#[test]
fn rotation_lets_the_old_key_go_on_for_the_overlap() {
    let (book, old) = book();
    let (book, new) = book.rotate("payments", DAY, None, NOW, &random(2)).unwrap();
    assert_eq!(new.old_keys_until, Some(NOW.plus(DAY)));
    assert_eq!(new.expires_at, Some(NOW.plus(90 * DAY)));
    let old = book.key(&old.id).unwrap().1;
    assert_eq!(old.state(NOW), KeyState::Usable);
    assert_eq!(old.state(NOW.plus(DAY)), KeyState::Expired);
    // An old key that ends sooner keeps its end.
    let later = NOW.plus(DAY / 2);
    let (book, _) = book
        .rotate("payments", DAY, Some(DAY), later, &random(3))
        .unwrap();
    assert_eq!(book.key(&old.id).unwrap().1.expires_at, Some(NOW.plus(DAY)));
}

#[test]
fn revocation_is_by_name_or_by_key() {
    let (book, first) = book();
    let (book, second) = book.rotate("payments", DAY, None, NOW, &random(2)).unwrap();
    let (one, revoked) = book.revoke(&first.id, NOW).unwrap();
    assert_eq!(revoked.key_ids, std::slice::from_ref(&first.id));
    assert_eq!(one.key(&first.id).unwrap().1.state(NOW), KeyState::Revoked);
    assert_eq!(one.key(&second.id).unwrap().1.state(NOW), KeyState::Usable);
    let (all, revoked) = one.revoke("payments", NOW).unwrap();
    assert_eq!(revoked.key_ids, [second.id]);
    assert!(!all.has_usable_key(NOW));
    assert_eq!(
        all.rotate("payments", DAY, None, NOW, &random(4))
            .unwrap_err(),
        BookError::HasNoKey("payments".into())
    );
    assert!(all.add("payments", None, NOW, &random(4)).is_ok());
}

#[test]
fn refusals_say_what_to_do() {
    let (book, new) = book();
    let cases = [
        (
            book.add("payments", None, NOW, &random(2)).unwrap_err(),
            "use `egret caller rotate payments`",
        ),
        (
            book.add("a:b", None, NOW, &random(2)).unwrap_err(),
            "use 1 to 64 letters",
        ),
        (
            book.add("x", Some(Duration::ZERO), NOW, &random(2))
                .unwrap_err(),
            "1s to 3650d",
        ),
        (
            book.add("x", None, NOW, &random(1)).unwrap_err(),
            "try again",
        ),
        (
            book.rotate("payment", DAY, None, NOW, &random(2))
                .unwrap_err(),
            "did you mean \"payments\"?",
        ),
    ];
    for (error, part) in cases {
        assert!(error.to_string().contains(part), "{error}");
    }
    let pasted = book.revoke(new.key.expose(), NOW).unwrap_err().to_string();
    assert!(!pasted.contains(new.key.expose().as_str()), "{pasted}");
}

#[test]
fn dead_keys_make_room_and_live_ones_do_not() {
    let (mut book, _) = book();
    for seed in 2..=MAX_KEYS as u8 {
        book = book
            .rotate("payments", DAY, None, NOW, &random(seed))
            .unwrap()
            .0;
    }
    let full = book
        .rotate("payments", DAY, None, NOW, &random(99))
        .unwrap_err();
    assert_eq!(full, BookError::TooManyKeys("payments".into()));
    let later = NOW.plus(DAY);
    let (book, _) = book
        .rotate("payments", DAY, None, later, &random(99))
        .unwrap();
    assert_eq!(book.callers()[0].keys.len(), MAX_KEYS);
}

proptest! {
    /// Whatever is done, the book stays consistent and reads back from its file.
    #[test]
    fn operations_keep_the_book_whole(steps in prop::collection::vec((0..4_u8, 0..3_usize), 0..40)) {
        let names = ["a", "b", "c.d@e"];
        let mut book = CallerBook::default();
        for (at, (what, who)) in steps.iter().enumerate() {
            let now = NOW.plus(Duration::from_secs(3600) * at as u32);
            let random = random(at as u8);
            let next = match what {
                0 => book.add(names[*who], None, now, &random).map(|(book, _)| book),
                1 => book.rotate(names[*who], DAY, None, now, &random).map(|(book, _)| book),
                2 => book.revoke(names[*who], now).map(|(book, _)| book),
                _ => book.add(names[*who], Some(DAY), now, &random).map(|(book, _)| book),
            };
            book = next.unwrap_or(book);
            for caller in book.callers() {
                prop_assert!(caller.keys.len() <= MAX_KEYS);
                for key in &caller.keys {
                    prop_assert_eq!(book.key(&key.id), Some((&caller.name, key)));
                }
            }
            let text = crate::domain::identity::write_callers(&book);
            let read = crate::domain::identity::parse_callers("callers.toml", &text);
            prop_assert_eq!(read.as_ref(), Ok(&book));
        }
    }
}
