//! Secrets in disguise: written with other digits, entities or escapes, in the statements and commands of
//! other programs, and behind words of other languages. What looks like these and is none stands below.

use egret::domain::redact::Surface;

use super::generate::Maker;
use super::plans::{PLANS, Plan};
use super::values as v;

/// Passwords of several makes.
const PASSWORDS: &[&str] = &[
    "Wolkenbruch42",
    "tide-Marker-19",
    "kelp!Forest8",
    "zauberlehrling",
];

/// Commands and statements with a password at `{}`.
const COMMANDS: &[&str] = &[
    "psql -h db.internal -U ledger -W {} main",
    "sqlcmd -S host -U sa -P '{}' -Q 'select 1'",
    "redis-cli -h cache -a {} ping",
    "ldapsearch -x -D cn=admin -w {} -b dc=bank",
    "openssl enc -aes-256-cbc -k {} -in a -out b",
    "keytool -list -storepass {} -keystore k.jks",
    "CREATE USER ledger IDENTIFIED BY '{}';",
    "ALTER USER ledger IDENTIFIED WITH caching_sha2_password BY '{}'",
    "INSERT INTO logins (id, username, password) VALUES (7, 'dora', '{}')",
    "insert into secrets(name, secret) values ('db', '{}'), ('mq', '{}')",
    "jdbc:sqlserver://db:1433;databaseName=main;user=sa;password={{}};encrypt=true",
    "<input type=\"password\" name=\"pw\" value=\"{}\">",
    "<entry name=\"client_secret\">{}</entry>",
    "env:\n  - name: DB_PASSWORD\n    value: {}\n",
    "env:\n- name: ACME_API_SECRET\n  value: \"{}\"\n",
    "login: {&quot;user&quot;:&quot;dora&quot;,&quot;password&quot;:&quot;{}&quot;}",
    "body password=3D{}=20end",
];

/// Words for a password in other languages and scripts.
const ABROAD: &[&str] = &[
    "كلمة المرور: {}",
    "รหัสผ่าน: {}",
    "비밀번호: {}",
    "密碼：{}",
    "口令 {}",
    "κωδικός: {}",
    "पासवर्ड: {}",
    "гасло: {}",
    "parola: {}",
    "mot de passe : {}",
];

/// Values of their columns, in the order of [`INSERT`].
const INSERT: &str = "INSERT INTO people (\"full_name\", ssn, email, birth_date, active) VALUES ('{}', '{}', '{}', '{}', true);";

/// Lines that hold nothing, and what must stand of them.
const HARMLESS: &[(&str, &[&str])] = &[
    (
        "pod ledger-6c9d8f7b5d-q8zrt evicted from node ip-10-2-7-40",
        &["ledger-6c9d8f7b5d-q8zrt", "ip-10-2-7-40"],
    ),
    (
        "at com.acme.settlement.batch.NightlyJob$Worker.run(NightlyJob.java:118)",
        &[
            "com.acme.settlement.batch.NightlyJob$Worker.run",
            "NightlyJob.java:118",
        ],
    ),
    (
        "lock held by java.util.concurrent.locks.StampedLock@5e1f33c0",
        &["java.util.concurrent.locks.StampedLock@5e1f33c0"],
    ),
    (
        "W1122 02:31:07.004 9912 watcher.go:311] lost the lease, trying again",
        &["watcher.go:311", "lost the lease, trying again"],
    ),
    ("تمت معالجة الطلب بنجاح", &["تمت معالجة الطلب بنجاح"]),
    ("请求已处理完毕", &["请求已处理完毕"]),
    (
        "Запрос обработан без ошибок",
        &["Запрос обработан без ошибок"],
    ),
    ("values of 3 &amp; 4 are allowed", &["allowed"]),
    (
        "expires=1795305338 retries=20 window=41",
        &["1795305338", "retries=20", "window=41"],
    ),
    ("docker run -p 8080:80 -w /srv ledger", &["8080:80", "/srv"]),
    (
        "INSERT INTO states (name, rank) VALUES (NULL, 4) took 3 ms",
        &["NULL", "4", "3 ms"],
    ),
    (
        "insert of values failed with code 23505",
        &["values failed", "23505"],
    ),
];

/// Each digit in another script, and some of it with signs without width between.
fn other_digits(value: &str) -> [String; 3] {
    let with = |zero: u32| {
        value
            .chars()
            .map(|c| {
                c.to_digit(10)
                    .map_or(c, |n| char::from_u32(zero + n).unwrap())
            })
            .collect::<String>()
    };
    let parted = value.chars().map(|c| format!("{c}\u{200b}")).collect();
    [with(0xff10), with(0x0660), parted]
}

fn entities(value: &str) -> String {
    value
        .chars()
        .map(|c| format!("&#{};", u32::from(c)))
        .collect()
}

fn quoted_printable(value: &str) -> String {
    value.bytes().map(|b| format!("={b:02X}")).collect()
}

/// Plans whose values validate by themselves.
fn validated() -> impl Iterator<Item = &'static Plan> {
    PLANS
        .iter()
        .filter(|plan| matches!(plan.kind, "card" | "iban" | "email"))
}

impl Maker {
    /// All of them.
    pub fn disguises(&mut self) {
        for password in PASSWORDS {
            for form in COMMANDS.iter().chain(ABROAD) {
                let said = format!("{}\n", form.replace("{}", password));
                self.planted("password", Surface::Text, said, &[password]);
            }
        }
        for _ in 0..6 {
            for plan in validated() {
                let value = (plan.make)(&mut self.rng);
                for hidden in [entities(&value), quoted_printable(&value)] {
                    let said = format!("note {hidden} end\n");
                    self.planted(plan.kind, Surface::Text, said, &[&value]);
                }
            }
            let card = v::card(&mut self.rng);
            for hidden in other_digits(&card) {
                let said = format!("charged {hidden} twice\n");
                self.planted("card", Surface::Text, said, &[&card, &hidden]);
                let said = format!("{{\"message\":\"charged {hidden} twice\"}}");
                self.planted("card", Surface::Json, said, &[&card, &hidden]);
            }
            let r = &mut self.rng;
            let row = [v::name(r), v::ssn(r), v::email(r), v::dob(r)];
            let mut said = INSERT.to_owned();
            for value in &row {
                said = said.replacen("{}", value, 1);
            }
            let secrets: Vec<&str> = row.iter().map(String::as_str).collect();
            self.planted("row", Surface::Text, said, &secrets);
        }
        for (line, useful) in HARMLESS {
            self.negative(Surface::Text, format!("{line}\n"), useful);
        }
    }
}
