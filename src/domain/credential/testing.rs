//! Requests and fake tokens for the tests of this module.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::{Classification, RequestView, Scheme, classify};
use crate::types::{CredentialFault, SubjectKind, TokenType};

/// A JWT that nobody signed.
pub(super) fn jwt(payload: &str) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!(
        "{}.{}.Zm9yLXRlc3RzLW9ubHk",
        encode(r#"{"alg":"RS512"}"#),
        encode(payload)
    )
}

/// HTTP Basic credentials.
pub(super) fn basic(text: &str) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

/// A request that owns its parts.
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) client_certificate: bool,
}

impl Request {
    pub(super) fn get(path: &str) -> Self {
        Self {
            method: "GET",
            path: path.to_owned(),
            query: None,
            headers: vec![
                ("Host".into(), b"bank.test".into()),
                ("Accept".into(), b"*/*".into()),
            ],
            client_certificate: false,
        }
    }

    pub(super) fn post(path: &str) -> Self {
        Self {
            method: "POST",
            ..Self::get(path)
        }
    }

    pub(super) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    pub(super) fn query(mut self, query: &str) -> Self {
        self.query = Some(query.to_owned());
        self
    }

    pub(super) fn with_certificate(mut self) -> Self {
        self.client_certificate = true;
        self
    }

    pub(super) fn view(&self) -> RequestView<'_> {
        RequestView {
            method: self.method,
            path: &self.path,
            query: self.query.as_deref(),
            headers: &self.headers,
            client_certificate: self.client_certificate,
        }
    }

    pub(super) fn classify(&self, scheme: Scheme) -> Classification<'_> {
        classify(scheme, &self.view())
    }
}

/// A row of a table test: what it shows, the request, the type used, all types, the material as
/// text ("" for none) and the fault.
pub(super) type Case = (
    &'static str,
    Request,
    TokenType,
    Vec<TokenType>,
    String,
    Option<CredentialFault>,
);

/// A row for a well-formed request with one credential.
pub(super) fn good(name: &'static str, request: Request, kind: TokenType, material: &str) -> Case {
    let present = if kind == TokenType::Anonymous {
        vec![]
    } else {
        vec![kind]
    };
    (name, request, kind, present, material.to_owned(), None)
}

/// A row for a request whose only credential, meant as `kind`, is faulty.
pub(super) fn bad(
    name: &'static str,
    request: Request,
    kind: TokenType,
    material: &str,
    fault: CredentialFault,
) -> Case {
    (
        name,
        request,
        TokenType::Malformed,
        vec![kind],
        material.to_owned(),
        Some(fault),
    )
}

/// Checks every row.
pub(super) fn check(scheme: Scheme, cases: &[Case]) {
    for (name, request, kind, present, material, fault) in cases {
        let found = request.classify(scheme);
        let text = found.material.as_ref().map_or(&b""[..], |it| it.expose());
        assert_eq!(found.token_type, *kind, "{name}: {found:?}");
        assert_eq!(
            found.present.as_slice(),
            present.as_slice(),
            "{name}: {found:?}"
        );
        assert_eq!(String::from_utf8_lossy(text), *material, "{name}");
        assert_eq!(found.fault, *fault, "{name}: {found:?}");
    }
}

/// The parties that the claims name, in order.
pub(super) fn subjects(found: &Classification<'_>) -> Vec<(SubjectKind, String)> {
    let claims = found.claims.iter();
    claims
        .flat_map(|it| &it.subjects)
        .map(|it| (it.kind, it.id.expose().clone()))
        .collect()
}
