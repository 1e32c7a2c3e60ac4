//! The labelled set: each kind on each surface, in several structures and encodings, with values
//! around it that must survive.

use egret::domain::redact::Surface;

use super::plans::{PLANS, Plan};
use super::values::{self as v, Rng};

/// One labelled input.
pub struct Case {
    pub id: String,
    pub kind: &'static str,
    pub surface: Surface,
    pub input: Vec<u8>,
    /// No run of six characters of these may survive.
    pub secrets: Vec<String>,
    /// These must survive.
    pub useful: Vec<String>,
    /// Looks sensitive and is not.
    pub negative: bool,
}

pub fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

fn percent_all(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

pub fn escape(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

fn escape_all(text: &str) -> String {
    text.encode_utf16().map(|u| format!("\\u{u:04x}")).collect()
}

pub struct Maker {
    pub rng: Rng,
    cases: Vec<Case>,
}

impl Maker {
    pub fn add(
        &mut self,
        plan: &Plan,
        surface: Surface,
        how: &str,
        input: String,
        secrets: &[&str],
        useful: &[&str],
    ) {
        let id = format!("{}-{}-{how}-{}", plan.kind, surface, self.cases.len());
        self.cases.push(Case {
            id,
            kind: plan.kind,
            surface,
            input: input.into_bytes(),
            secrets: secrets.iter().map(|s| (*s).to_owned()).collect(),
            useful: useful.iter().map(|s| (*s).to_owned()).collect(),
            negative: false,
        });
    }

    /// A case without a secret, which looks as if it had one.
    pub fn negative(&mut self, surface: Surface, input: String, useful: &[&str]) {
        self.cases.push(Case {
            id: format!("negative-{surface}-{}", self.cases.len()),
            kind: "negative",
            surface,
            input: input.into_bytes(),
            secrets: Vec::new(),
            useful: useful.iter().map(|s| (*s).to_owned()).collect(),
            negative: true,
        });
    }

    /// A case of one kind with nothing around it.
    pub fn planted(
        &mut self,
        kind: &'static str,
        surface: Surface,
        input: String,
        secrets: &[&str],
    ) {
        self.cases.push(Case {
            id: format!("{kind}-{surface}-context-{}", self.cases.len()),
            kind,
            surface,
            input: input.into_bytes(),
            secrets: secrets.iter().map(|s| (*s).to_owned()).collect(),
            useful: Vec::new(),
            negative: false,
        });
    }

    fn header(&mut self, plan: &Plan) {
        let r = &mut self.rng;
        let (value, id, guid) = ((plan.make)(r).replace('\n', "\\n"), v::uuid(r), v::guid(r));
        let around = format!(
            "X-Request-ID: {id}\r\nAccept-Version: 2026-04-01\r\nContent-Type: application/json\r\n"
        );
        let useful = [
            id.as_str(),
            "2026-04-01",
            "application/json",
            guid.as_str(),
            "HTTP/1.1",
        ];
        let first = format!("GET /api/customers/{guid} HTTP/1.1\r\n");
        for (name, before) in plan.headers {
            for name in [(*name).to_owned(), name.to_lowercase()] {
                self.add(
                    plan,
                    Surface::Header,
                    "named",
                    format!("{first}{name}: {before}{value}\r\n{around}"),
                    &[&value],
                    &useful,
                );
            }
        }
        let field = format!("X-{}", plan.fields[0].replace('_', "-"));
        self.add(
            plan,
            Surface::Header,
            "field",
            format!("{first}{around}{field}: {value}\r\n"),
            &[&value],
            &useful,
        );
        self.add(
            plan,
            Surface::Header,
            "unknown",
            format!("{first}X-Frobnicate: {value}\r\n{around}"),
            &[&value],
            &useful,
        );
        self.add(
            plan,
            Surface::Header,
            "folded",
            format!("{first}{around}X-Note: see\r\n {value}\r\n"),
            &[&value],
            &useful,
        );
        self.add(
            plan,
            Surface::Header,
            "agent",
            format!("{first}{around}User-Agent: client/1.2 ({value})\r\n"),
            &[&value],
            &useful,
        );
    }

    fn pairs(&mut self, plan: &Plan, surface: Surface) {
        let r = &mut self.rng;
        let (value, guid) = ((plan.make)(r), v::guid(r));
        let (once, twice, all) = (
            percent(&value),
            percent(&percent(&value)),
            percent_all(&value),
        );
        let around = format!("page=2&per_page=50&customer_guid={guid}&state=completed");
        let useful = ["page=2", "per_page=50", guid.as_str(), "completed"];
        for (at, field) in plan.fields.iter().enumerate() {
            let (how, value_text) = [("once", &once), ("twice", &twice), ("all", &all)][at % 3];
            self.add(
                plan,
                surface,
                how,
                format!("{around}&{field}={value_text}"),
                &[&value],
                &useful,
            );
        }
        self.add(
            plan,
            surface,
            "unknown",
            format!("frob={once}&{around}"),
            &[&value],
            &useful,
        );
        self.add(
            plan,
            surface,
            "key",
            format!("{once}=1&{around}"),
            &[&value],
            &useful,
        );
        self.add(
            plan,
            surface,
            "pair",
            format!("fieldId={}&value={twice}&{around}", plan.fields[0]),
            &[&value],
            &useful,
        );
        let json = percent(&format!(
            "{{\"{}\":\"{}\",\"state\":\"ok\"}}",
            plan.fields[0],
            escape(&value)
        ));
        self.add(
            plan,
            surface,
            "json",
            format!("{around}&payload={json}"),
            &[&value],
            &useful,
        );
    }

    fn path(&mut self, plan: &Plan) {
        let r = &mut self.rng;
        let (value, guid) = ((plan.make)(r), v::guid(r));
        let (once, twice, all) = (
            percent(&value),
            percent(&percent(&value)),
            percent_all(&value),
        );
        for (how, text) in [("once", &once), ("twice", &twice), ("all", &all)] {
            self.add(
                plan,
                Surface::Path,
                how,
                format!("/api/customers/{guid}/{}/{text}", plan.fields[0]),
                &[&value],
                &[&guid, "/api/customers/"],
            );
        }
        // A UUID behind `users` is the id of a user.
        if !matches!(plan.kind, "consent" | "uuid_token") {
            self.add(
                plan,
                Surface::Path,
                "last",
                format!("/obp/v4.0.0/users/{once}"),
                &[&value],
                &["/obp/v4.0.0/users/"],
            );
        }
        self.add(
            plan,
            Surface::Path,
            "query",
            format!("/api/accounts/{guid}?q={once}&page=1"),
            &[&value],
            &[&guid, "page=1"],
        );
        self.add(
            plan,
            Surface::Path,
            "fragment",
            format!("/api/trades/{guid}#access_token={once}"),
            &[&value],
            &[&guid, "trades"],
        );
    }

    fn json(&mut self, plan: &Plan) {
        let r = &mut self.rng;
        let (value, guid) = ((plan.make)(r), v::guid(r));
        let text = escape(&value);
        let head = format!(
            "\"guid\":\"{guid}\",\"state\":\"completed\",\"created_at\":\"2026-01-02T03:04:05.678Z\",\"amount\":100000"
        );
        let useful = [
            guid.as_str(),
            "completed",
            "2026-01-02T03:04:05.678Z",
            "100000",
        ];
        for (at, field) in plan.fields.iter().enumerate() {
            let input = match at % 4 {
                0 => format!("{{{head},\"{field}\":\"{text}\"}}"),
                1 => format!(
                    "{{\"objects\":[{{{head},\"{field}\":\"{}\"}}]}}",
                    escape_all(&value)
                ),
                2 => format!("{{{head},\"{field}\":[\"{text}\"]}}"),
                _ => format!("{{\n  \"{field}\" : \"{text}\",\n  {head}\n}}"),
            };
            self.add(plan, Surface::Json, "field", input, &[&value], &useful);
        }
        let field = plan.fields[0];
        let nested = escape(&format!("{{\"{field}\":\"{text}\",\"status\":\"ok\"}}"));
        for (how, input) in [
            ("unknown", format!("{{{head},\"frob\":\"{text}\"}}")),
            ("key", format!("{{{head},\"{text}\":true}}")),
            (
                "pair",
                format!("{{{head},\"fields\":[{{\"fieldId\":\"{field}\",\"value\":\"{text}\"}}]}}"),
            ),
            (
                "pair-back",
                format!("{{{head},\"fields\":[{{\"value\":\"{text}\",\"name\":\"{field}\"}}]}}"),
            ),
            (
                "tuple",
                format!("{{{head},\"list\":[[\"{field}\",\"{text}\"]]}}"),
            ),
            ("nested", format!("{{{head},\"body\":\"{nested}\"}}")),
            ("cut", format!("{{{head},\"{field}\":\"{text}")),
            (
                "single",
                format!(
                    "{{{},'{field}':'{}'}}",
                    head.replace('"', "'"),
                    value.replace('\n', " ")
                ),
            ),
            ("under-id", format!("{{{head},\"status\":\"{text}\"}}")),
            (
                "message",
                format!(
                    "{{{head},\"message\":\"{}\"}}",
                    plan.phrases[0]
                        .replace("{}", &text)
                        .replace("\"", "\\\"")
                        .replace("\\\\\"", "\\\"")
                ),
            ),
            (
                "base64",
                format!("{{{head},\"data\":\"{}\"}}", v::b64(value.as_bytes())),
            ),
        ] {
            self.add(plan, Surface::Json, how, input, &[&value], &useful);
        }
        if value.bytes().all(|b| b.is_ascii_digit()) && !value.starts_with('0') {
            self.add(
                plan,
                Surface::Json,
                "number",
                format!("{{{head},\"{field}\":{value},\"frob\":{value}}}"),
                &[&value],
                &useful,
            );
        }
    }

    fn multipart(&mut self, plan: &Plan) {
        let r = &mut self.rng;
        let (value, guid) = ((plan.make)(r), v::guid(r));
        let part = |name: &str, extra: &str, body: &str| {
            format!(
                "--frontier42\r\nContent-Disposition: form-data; name=\"{name}\"{extra}\r\n\r\n{body}\r\n"
            )
        };
        let tail = format!(
            "{}{}--frontier42--\r\n",
            part("customer_guid", "", &guid),
            part("state", "", "completed")
        );
        for (how, input) in [
            ("field", part(plan.fields[0], "", &value) + &tail),
            ("unknown", part("frob", "", &value) + &tail),
            (
                "file",
                part(
                    "upload",
                    &format!(
                        "; filename=\"{}.txt\"\r\nContent-Type: text/csv",
                        percent(&value)
                    ),
                    &format!("a,b\r\n1,{value}"),
                ) + &tail,
            ),
        ] {
            self.add(
                plan,
                Surface::Multipart,
                how,
                input,
                &[&value],
                &[&guid, "completed"],
            );
        }
    }

    fn text(&mut self, plan: &Plan) {
        for phrase in plan.phrases {
            let r = &mut self.rng;
            let (value, guid, id) = ((plan.make)(r), v::guid(r), v::uuid(r));
            let said = phrase.replace("{}", &value);
            let useful = [
                "2026-11-22T02:31:07.123Z",
                guid.as_str(),
                id.as_str(),
                "status=422",
                "OBP-20001",
            ];
            let line = format!(
                "2026-11-22T02:31:07.123Z ERROR request_id={id} status=422 OBP-20001 customer {guid}: {said}\n"
            );
            self.add(plan, Surface::Text, "log", line, &[&value], &useful);
            self.add(
                plan,
                Surface::Text,
                "plain",
                format!("{said}\n"),
                &[&value],
                &[],
            );
        }
        let r = &mut self.rng;
        let (value, guid) = ((plan.make)(r), v::guid(r));
        let field = plan.fields[r.below(plan.fields.len())];
        let flat = value.replace('\n', "\\n");
        let json = format!("{{\"{field}\":\"{}\",\"guid\":\"{guid}\"}}", escape(&value));
        for (how, input, useful) in [
            (
                "kv",
                format!("level=info {field}=\"{flat}\" duration_ms=12 done"),
                vec!["level=info", "duration_ms=12"],
            ),
            (
                "json",
                format!("upstream said {json} at 02:31:07"),
                vec![guid.as_str(), "02:31:07"],
            ),
            (
                "escaped",
                format!("body=\"{}\" status=400", escape(&json)),
                vec!["status=400"],
            ),
            (
                "url",
                format!(
                    "GET https://api.example.com/v1/customers/{guid}?{field}={}&page=2 failed",
                    percent(&value)
                ),
                vec![guid.as_str(), "page=2"],
            ),
            (
                "base64",
                format!("payload {} dropped after 300 ms", v::b64(json.as_bytes())),
                vec!["300"],
            ),
            (
                "base64-value",
                format!("header {} refused with 401", v::b64(value.as_bytes())),
                vec!["401"],
            ),
        ] {
            self.add(plan, Surface::Text, how, input, &[&value], &useful);
        }
        if plan.bare {
            let value = (plan.make)(r_of(&mut self.rng));
            self.add(
                plan,
                Surface::Text,
                "percent",
                format!("q={} took 12 ms", percent(&percent(&value))),
                &[&value],
                &["12"],
            );
        }
    }
}

fn r_of(rng: &mut Rng) -> &mut Rng {
    rng
}

/// The whole set for one seed.
pub fn cases(seed: u64) -> Vec<Case> {
    let mut maker = Maker {
        rng: Rng(seed),
        cases: Vec::new(),
    };
    for plan in PLANS {
        maker.header(plan);
        maker.pairs(plan, Surface::Query);
        maker.pairs(plan, Surface::Form);
        maker.path(plan);
        maker.json(plan);
        maker.multipart(plan);
        maker.text(plan);
    }
    maker.negatives();
    maker.contexts();
    maker.disguises();
    maker.fields_that_stay();
    maker.cases
}
