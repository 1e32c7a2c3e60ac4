//! What to take from which body: the catalog's rules, compiled once at start.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::domain::catalog::{
    ErrorCodeRule, FactKeep, FactRule, Locator, Matcher, MintEncoding, MintRule, Operation,
    Provider, RouteIndex, Shape,
};
use crate::domain::tap::{NameSet, PathError, PathSet};

/// Field of a token answer that says how long the token lives, in seconds (RFC 6749, section 5.1).
const EXPIRES_IN: &str = "expires_in";

/// What a value is used for.
#[derive(Clone, Debug)]
pub(super) enum Use {
    /// Recorded under this name if it has this shape.
    Fact(Arc<str>, Shape),
    /// Recorded as a pseudonym of this kind.
    Subject(Arc<str>),
    /// Recorded as being there.
    Present(Arc<str>),
    /// The vendor's error code; the lower number is preferred.
    ErrorCode(usize, ErrorCodeRule),
    /// A token or secret to fingerprint.
    Token,
    /// Seconds that the token lives.
    ExpiresIn,
}

/// How a body is written.
#[derive(Clone, Debug)]
pub(super) enum Fields {
    /// JSON, and the paths in it.
    Json(Arc<PathSet>),
    /// `application/x-www-form-urlencoded`, and the names in it.
    Form(Arc<NameSet>),
}

/// What to take from one kind of body.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) fields: Fields,
    /// For each path or name, what its value is used for.
    pub(super) uses: Vec<SmallVec<[Use; 1]>>,
}

impl Plan {
    /// Whether a body of this media type can be observed. A missing type counts as JSON: error
    /// bodies of infrastructure often have none.
    pub fn reads(&self, content_type: Option<&[u8]>) -> bool {
        let Some(content_type) = content_type else {
            return matches!(self.fields, Fields::Json(_));
        };
        let wanted: &[u8] = match self.fields {
            Fields::Json(_) => b"json",
            // OAuth 1.0a answers are often labelled text/plain or text/html (RFC 5849 asks for
            // the form type).
            Fields::Form(_) => return !contains_ignore_case(content_type, b"json"),
        };
        contains_ignore_case(content_type, wanted)
    }

    /// Whether the plan looks for a minted token.
    pub fn mints(&self) -> bool {
        self.uses
            .iter()
            .flatten()
            .any(|used| matches!(used, Use::Token))
    }
}

fn contains_ignore_case(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window.eq_ignore_ascii_case(needle))
}

/// Collects rules before they are compiled.
#[derive(Default)]
struct Draft {
    names: Vec<String>,
    uses: Vec<SmallVec<[Use; 1]>>,
}

impl Draft {
    fn add(&mut self, name: &str, used: Use) {
        match self.names.iter().position(|known| known == name) {
            Some(at) => {
                if let Some(uses) = self.uses.get_mut(at) {
                    uses.push(used);
                }
            }
            None => {
                self.names.push(name.to_owned());
                self.uses.push(SmallVec::from_iter([used]));
            }
        }
    }

    fn add_facts(&mut self, rules: &[FactRule]) {
        for rule in rules {
            let Locator::Body(path) = &rule.at else {
                continue;
            };
            let used = match &rule.keep {
                FactKeep::Value(shape) => Use::Fact(Arc::clone(&rule.name), shape.clone()),
                FactKeep::Subject(kind) => Use::Subject(Arc::clone(kind)),
                FactKeep::Present => Use::Present(Arc::clone(&rule.name)),
            };
            self.add(path.as_str(), used);
        }
    }

    fn compile(self, encoding: MintEncoding) -> Result<Option<Arc<Plan>>, PathError> {
        if self.names.is_empty() {
            return Ok(None);
        }
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let fields = match encoding {
            MintEncoding::Json => Fields::Json(Arc::new(PathSet::compile(&names)?)),
            MintEncoding::Form => Fields::Form(Arc::new(NameSet::compile(&names)?)),
        };
        Ok(Some(Arc::new(Plan {
            fields,
            uses: self.uses,
        })))
    }
}

/// The plans of one operation.
#[derive(Clone, Debug, Default)]
pub struct OperationPlans {
    /// For a request body in JSON.
    pub request_json: Option<Arc<Plan>>,
    /// For a request body that is a form.
    pub request_form: Option<Arc<Plan>>,
    /// For an answer below 400.
    pub response: Option<Arc<Plan>>,
}

impl OperationPlans {
    fn new(operation: &Operation) -> Result<Self, PathError> {
        let request = |encoding| {
            let mut draft = Draft::default();
            draft.add_facts(&operation.request_facts);
            if let Some(mint) = &operation.mint {
                for at in &mint.request {
                    if let Locator::Body(path) = at {
                        draft.add(path.as_str(), Use::Token);
                    }
                }
            }
            draft.compile(encoding)
        };
        Ok(Self {
            request_json: request(MintEncoding::Json)?,
            request_form: request(MintEncoding::Form)?,
            response: response_plan(operation)?,
        })
    }

    /// The plan for a request body of this media type.
    pub fn for_request(&self, content_type: Option<&[u8]>) -> Option<&Arc<Plan>> {
        let is_form = content_type.is_some_and(|value| {
            value
                .get(..FORM.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(FORM))
        });
        if is_form {
            self.request_form.as_ref()
        } else {
            self.request_json
                .as_ref()
                .filter(|plan| plan.reads(content_type))
        }
    }
}

/// Media type of forms (HTML, section 4.10.21.8).
const FORM: &[u8] = b"application/x-www-form-urlencoded";

fn response_plan(operation: &Operation) -> Result<Option<Arc<Plan>>, PathError> {
    let mut draft = Draft::default();
    draft.add_facts(&operation.response_facts);
    let mut encoding = MintEncoding::Json;
    if let Some(MintRule {
        response,
        encoding: written,
        ..
    }) = &operation.mint
    {
        encoding = *written;
        for path in response {
            draft.add(path.as_str(), Use::Token);
        }
        if !response.is_empty() {
            draft.add(EXPIRES_IN, Use::ExpiresIn);
        }
    }
    draft.compile(encoding)
}

/// The plans of a provider.
#[derive(Clone, Debug, Default)]
pub struct ProviderPlans {
    operations: Vec<Arc<OperationPlans>>,
    error: Option<Arc<Plan>>,
}

impl ProviderPlans {
    /// Compiles the rules of every operation.
    ///
    /// # Errors
    /// [`PathError`] for a path that the tap does not understand; the provider file was not
    /// checked then.
    pub fn new(provider: &Provider, matcher: &Matcher) -> Result<Self, PathError> {
        let mut operations = Vec::with_capacity(matcher.len());
        let mut last: Option<(Arc<Operation>, Arc<OperationPlans>)> = None;
        for index in 0..matcher.len() {
            let Some(route) = u32::try_from(index)
                .ok()
                .and_then(|index| matcher.route(RouteIndex(index)))
            else {
                continue;
            };
            // Routes of one operation (its versions) follow each other and share their plans.
            let plans = match &last {
                Some((operation, plans)) if Arc::ptr_eq(operation, &route.operation) => {
                    Arc::clone(plans)
                }
                _ => Arc::new(OperationPlans::new(&route.operation)?),
            };
            last = Some((Arc::clone(&route.operation), Arc::clone(&plans)));
            operations.push(plans);
        }
        let mut error = Draft::default();
        for (rank, rule) in provider.error_codes.iter().enumerate() {
            error.add(rule.at.as_str(), Use::ErrorCode(rank, rule.clone()));
        }
        error.add_facts(&provider.error_facts);
        Ok(Self {
            operations,
            error: error.compile(MintEncoding::Json)?,
        })
    }

    /// The plans of a matched route.
    pub fn operation(&self, route: RouteIndex) -> Option<&Arc<OperationPlans>> {
        self.operations.get(usize::try_from(route.0).ok()?)
    }

    /// The plan for an answer of 400 and above.
    pub fn error(&self) -> Option<&Arc<Plan>> {
        self.error.as_ref()
    }
}
