//! The labelled set: each kind on each surface, in several structures and encodings, with values
//! around it that must survive.

use egret::domain::redact::Surface;

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

/// A kind: how values are made, which fields carry it, and how people write about it.
pub struct Plan {
    pub kind: &'static str,
    pub make: fn(&mut Rng) -> String,
    pub fields: &'static [&'static str],
    pub phrases: &'static [&'static str],
    /// A header that carries it, with the text before the value.
    pub headers: &'static [(&'static str, &'static str)],
    /// Recognised in text without any label.
    pub bare: bool,
}

macro_rules! plan {
    ($kind:literal, $make:path, [$($field:literal),*], [$($phrase:literal),*], [$(($h:literal, $p:literal)),*], $bare:literal) => {
        Plan { kind: $kind, make: $make, fields: &[$($field),*], phrases: &[$($phrase),*], headers: &[$(($h, $p)),*], bare: $bare }
    };
}

pub const PLANS: &[Plan] = &[
    plan!(
        "card",
        v::card,
        ["card_number", "cardNumber", "pan", "bank_card_number"],
        ["card {} was declined", "charged {} twice", "PAN: {}"],
        [],
        true
    ),
    plan!(
        "iban",
        v::iban,
        ["iban", "creditorIban", "IBAN"],
        ["pay to IBAN {} now", "transfer to {} failed"],
        [],
        true
    ),
    plan!(
        "routing",
        v::aba,
        ["routing_number", "routingNumber", "aba"],
        ["routing number {} rejected", "ABA {} unknown"],
        [],
        false
    ),
    plan!(
        "account",
        v::account,
        [
            "account_number",
            "accountNumber",
            "beneficiaryAccountNumber"
        ],
        ["account number {} not found", "acct {} closed"],
        [],
        false
    ),
    plan!(
        "ssn",
        v::ssn,
        ["ssn", "social_security_number", "individualSsn", "SSN"],
        ["SSN {} on file", "her social security number is {}"],
        [],
        true
    ),
    plan!(
        "itin",
        v::itin,
        ["itin", "tax_id"],
        ["ITIN {} given", "taxpayer id {}"],
        [],
        true
    ),
    plan!(
        "ein",
        v::ein,
        ["ein", "employer_ein"],
        ["EIN {} of the company"],
        [],
        true
    ),
    plan!(
        "national",
        v::national,
        [
            "national_id",
            "identification_number",
            "nationalIdentifier",
            "tax_number"
        ],
        ["national id {} checked"],
        [],
        false
    ),
    plan!(
        "email",
        v::email,
        [
            "email",
            "email_address",
            "developerEmail",
            "individualEmail"
        ],
        ["mail sent to {}", "user {} not found", "<{}> bounced"],
        [("From", "")],
        true
    ),
    plan!(
        "phone",
        v::phone,
        [
            "phone",
            "phone_number",
            "mobilePhoneNumber",
            "individualCellphoneNumber"
        ],
        ["call {} back", "sms sent to phone {}"],
        [],
        true
    ),
    plan!(
        "dob",
        v::dob,
        [
            "date_of_birth",
            "dob",
            "dateOfBirth",
            "individualDateOfBirth"
        ],
        ["born {} in town", "date of birth: {}"],
        [],
        false
    ),
    plan!(
        "passport",
        v::passport,
        ["passport_number", "passportNo"],
        ["passport {} expired", "passport number: {}"],
        [],
        false
    ),
    plan!(
        "licence",
        v::licence,
        ["drivers_license", "driving_licence_number"],
        ["driver's license {} scanned"],
        [],
        false
    ),
    plan!(
        "name",
        v::name,
        [
            "full_name",
            "legalName",
            "holder",
            "beneficiaryName",
            "nameOnAccount"
        ],
        ["customer {} is frozen", "Dear {}, welcome"],
        [],
        true
    ),
    plan!(
        "address",
        v::address,
        [
            "address",
            "street_address",
            "residence_address",
            "addressLine1"
        ],
        ["lives at {} today", "ship to {} please"],
        [],
        true
    ),
    plan!(
        "btc",
        v::btc,
        ["btc_address", "deposit_address", "network_address"],
        ["sent to {} on chain", "wallet {} funded"],
        [],
        true
    ),
    plan!(
        "eth",
        v::eth,
        ["eth_address", "wallet_address", "smart_contract_address"],
        ["withdraw to {} queued"],
        [],
        true
    ),
    plan!(
        "mnemonic",
        v::mnemonic,
        ["mnemonic", "seed_phrase", "recovery_phrase"],
        ["recovery phrase: {}", "words were {} !"],
        [],
        true
    ),
    plan!(
        "jwt",
        v::jwt,
        ["access_token", "id_token", "jwt", "refreshToken"],
        ["token {} expired", "got {} back"],
        [
            ("Authorization", "Bearer "),
            ("DAuth", ""),
            ("GatewayLogin", ""),
            ("Consent-JWT", "")
        ],
        true
    ),
    plan!(
        "bearer",
        v::opaque,
        ["access_token", "bearer_token", "sessionToken"],
        ["Authorization: Bearer {}", "bearer {} refused"],
        [
            ("Authorization", "Bearer "),
            ("proxy-authorization", "Bearer "),
            ("X-Auth-Token", "")
        ],
        true
    ),
    plan!(
        "basic",
        v::basic,
        ["basic_auth", "authorization"],
        ["Authorization: Basic {}", "sent Basic {} to the server"],
        [("Authorization", "Basic "), ("AUTHORIZATION", "basic ")],
        true
    ),
    plan!(
        "oauth1",
        v::opaque,
        [
            "oauth_token",
            "oauth_signature",
            "oauth_verifier",
            "oauth_token_secret"
        ],
        [
            "oauth_token={}&oauth_version=1.0",
            "OAuth oauth_signature=\"{}\""
        ],
        [(
            "Authorization",
            "OAuth oauth_consumer_key=\"k\", oauth_signature="
        )],
        true
    ),
    plan!(
        "directlogin",
        v::opaque,
        ["directlogin_token", "DirectLogin"],
        ["DirectLogin token={} sent", "DirectLogin token=\"{}\""],
        [
            ("DirectLogin", "token="),
            ("Authorization", "DirectLogin token=")
        ],
        true
    ),
    plan!(
        "consent",
        v::uuid,
        ["consent_id", "consentId"],
        ["consent {} used as proof", "Consent-Id: {}"],
        [("Consent-Id", ""), ("Consent-ID", "")],
        true
    ),
    plan!(
        "api_key",
        v::api_key,
        ["api_key", "apiKey", "consumer_key", "x-api-key"],
        ["api key {} revoked", "apiKey={}"],
        [
            ("X-Api-Key", ""),
            ("Consumer-Key", ""),
            ("CB-ACCESS-KEY", "")
        ],
        true
    ),
    plan!(
        "signature",
        v::signature,
        ["signature", "x_signature", "X-Amz-Signature"],
        ["signature {} does not match", "sig={}"],
        [
            ("X-Api-Signature", ""),
            ("X-Cybrid-Signature", ""),
            ("KC-API-SIGN", "")
        ],
        true
    ),
    plan!(
        "cloud",
        v::cloud,
        ["aws_secret_access_key", "secret_key", "accessKeyId"],
        ["using {} for s3", "export KEY={}"],
        [("X-Amz-Security-Token", "")],
        true
    ),
    plan!(
        "saas",
        v::saas,
        ["stripe_key", "plaid_public_token", "processorToken"],
        ["key {} was rotated", "with {} again"],
        [("Stripe-Key", "")],
        true
    ),
    plan!(
        "pem",
        v::pem,
        ["private_key", "signing_key"],
        ["loaded {} from disk"],
        [],
        true
    ),
    plan!(
        "cookie",
        v::session,
        ["cookie", "JSESSIONID", "session_id"],
        ["Cookie: JSESSIONID={}", "session {} ended"],
        [("Cookie", "JSESSIONID="), ("Set-Cookie", "JSESSIONID=")],
        true
    ),
    plan!(
        "presigned",
        v::signature,
        ["upload_url", "download_url"],
        ["see https://bucket.s3.amazonaws.com/doc.pdf?X-Amz-Signature={}&X-Amz-Expires=300"],
        [(
            "Location",
            "https://bucket.s3.amazonaws.com/doc.pdf?X-Amz-Signature="
        )],
        true
    ),
    plan!(
        "password",
        v::password,
        ["password", "client_secret", "passphrase", "user_pwd"],
        [
            "password is {}",
            "password={} user=x",
            "login with password: {}",
            "pwd:{}"
        ],
        [("CB-ACCESS-PASSPHRASE", ""), ("X-Password", "")],
        false
    ),
    plan!(
        "uuid_token",
        v::uuid,
        ["token", "api_token", "invite_token"],
        ["use {} to log in", "token {} accepted"],
        [("X-Auth-Token", "")],
        true
    ),
];

fn percent(text: &str) -> String {
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

fn escape(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

fn escape_all(text: &str) -> String {
    text.encode_utf16().map(|u| format!("\\u{u:04x}")).collect()
}

struct Maker {
    rng: Rng,
    cases: Vec<Case>,
}

impl Maker {
    fn add(
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

    fn negatives(&mut self) {
        let plan = Plan {
            kind: "negative",
            make: v::uuid,
            fields: &[],
            phrases: &[],
            headers: &[],
            bare: false,
        };
        for _ in 0..6 {
            let r = &mut self.rng;
            let (guid, id, sha, order, span) = (
                v::guid(r),
                v::uuid(r),
                format!("a{}", r.chars(v::HEX, 39)),
                format!("1{}", r.digits(15)),
                format!("{}f", r.chars(v::HEX, 15)),
            );
            let epoch = format!("17953{}", r.digits(5));
            let cases: Vec<(Surface, String, Vec<&str>)> = vec![
                (Surface::Text, format!("order {order} shipped in 3 parcels"), vec![&order]),
                (Surface::Text, format!("commit {sha} built as v2.14.3-rc1"), vec![&sha, "v2.14.3-rc1"]),
                (Surface::Text, "the password policy requires 12 characters; token expired, card declined, account closed".into(), vec!["password policy", "token expired", "card declined", "account closed"]),
                (Surface::Text, "invalid SSN 000-12-3456 and 666-45-6789 in test 3.4.5.6".into(), vec![]),
                (Surface::Text, format!("trace_id={} span_id={span} ts={epoch}", &guid), vec![&guid, &span, &epoch]),
                (Surface::Text, "OBPv4.0.0-grantUserAccessToView answered 403 OBP-20017 after 1,234.56 ms".into(), vec!["OBPv4.0.0-grantUserAccessToView", "OBP-20017", "1,234.56"]),
                (Surface::Text, format!("GET /api/transfers/{guid} HTTP/1.1 200 1795 bytes"), vec![&guid, "HTTP/1.1", "200"]),
                (Surface::Text, "at egret::edge::proxy::stages (src/edge/proxy/mod.rs:142:17)".into(), vec!["egret::edge::proxy::stages", "src/edge/proxy/mod.rs:142:17"]),
                (Surface::Text, "rate limit 100 per 300 s for 10.20.30.40, 12 retries, 99.95 % ok".into(), vec!["100", "10.20.30.40", "99.95"]),
                (Surface::Text, "WWW-Authenticate: Bearer realm=\"obp\", error=\"invalid_token\"".into(), vec!["realm=\"obp\"", "invalid_token"]),
                (Surface::Json, format!("{{\"order_id\":{order},\"trace_id\":\"{guid}\",\"token_type\":\"Bearer\",\"expires_in\":1800,\"scope\":\"customers:read trades:execute\"}}"), vec![&order, &guid, "Bearer", "1800", "customers:read trades:execute"]),
                (Surface::Json, format!("{{\"password_changed_at\":\"2026-01-02T03:04:05Z\",\"email_verified\":true,\"card_type\":\"debit\",\"has_ssn\":false,\"request_id\":\"{id}\"}}"), vec!["2026-01-02T03:04:05Z", "true", "debit", "false", &id]),
                (Surface::Json, "{\"status\":422,\"error_message\":\"Invalid scopes. Required: trades:execute\",\"message_code\":\"invalid_scopes\"}".into(), vec!["422", "Invalid scopes. Required: trades:execute", "invalid_scopes"]),
                (Surface::Json, "{\"code\":401,\"message\":\"OBP-20001: User not logged in. Authentication is required!\"}".into(), vec!["401", "OBP-20001: User not logged in"]),
                (Surface::Json, format!("{{\"symbol\":\"BTC-USD\",\"side\":\"buy\",\"deliver_amount\":{epoch},\"fee\":\"0.25\",\"version\":\"5.1.0\"}}"), vec!["BTC-USD", "buy", &epoch, "0.25", "5.1.0"]),
                (Surface::Json, "{\"exceptionId\":\"X1Y2Z3\",\"type\":\"ValidationException\",\"errorCode\":\"validation.general\",\"transient\":false}".into(), vec!["ValidationException", "validation.general", "false"]),
                (Surface::Header, format!("HTTP/1.1 429 Too Many Requests\r\nX-Rate-Limit-Remaining: 0\r\nRetry-After: 300\r\nCorrelation-Id: {id}\r\nDate: Sun, 22 Nov 2026 02:18:58 GMT\r\n"), vec!["429", "Remaining: 0", "300", &id, "Sun, 22 Nov 2026 02:18:58 GMT"]),
                (Surface::Header, format!("traceparent: 00-{guid}-{span}-01\r\nAccept: application/json, */*;q=0.8\r\nAccept-Encoding: gzip, deflate\r\nHost: bank.sandbox.cybrid.app\r\n"), vec![&guid, &span, "application/json, */*;q=0.8", "gzip, deflate", "bank.sandbox.cybrid.app"]),
                (Surface::Query, format!("timestamp=17000000{}&masqueradeAs=AC_TESTTEST01&format=json&include_pii=true&sort_direction=DESC", "00000"), vec!["1700000000000", "AC_TESTTEST01", "format=json", "include_pii=true", "DESC"]),
                (Surface::Query, format!("guid={guid},{}&created_at_gte=2026-01-01T00%3A00%3A00Z&asset=USD", guid.replace('a', "b")), vec![&guid, "2026-01-01T00%3A00%3A00Z", "asset=USD"]),
                (Surface::Path, format!("/obp/v5.1.0/banks/gh.29.uk/accounts/{id}/owner/transactions"), vec!["v5.1.0", "gh.29.uk", &id, "owner/transactions"]),
                (Surface::Path, format!("/v3/transfers/TF_ABCDEF12345/confirm?timestamp={epoch}000"), vec!["TF_ABCDEF12345/confirm", &epoch]),
                (Surface::Form, format!("grant_type=client_credentials&scope=banks%3Aread+accounts%3Aread&account_guid={guid}"), vec!["client_credentials", "banks%3Aread+accounts%3Aread", &guid]),
            ];
            for (surface, input, useful) in cases {
                self.add(&plan, surface, "negative", input, &[], &useful);
                if let Some(case) = self.cases.last_mut() {
                    case.negative = true;
                }
            }
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
    maker.cases
}
