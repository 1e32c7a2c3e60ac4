//! Finds the operation that a request calls.
//!
//! A trie over path segments, one root per service, searched depth first with pruning. Of all
//! templates that match, the one with most literal segments wins; of those, the one whose first
//! differing segment is literal; of those, the one without a `{NAME+}` tail or else the one whose
//! tail starts last. The search neither
//! allocates nor visits more than [`MAX_VISITS`] nodes.

use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::model::{Method, Operation, Provider, ServiceIndex};
use super::template::{self, MAX_PARAMS, Segment, VERSION};

/// Most trie nodes that one search visits; beyond, nothing matches. A path of the largest
/// provider (OBP) visits fewer than 60; only a catalog made to branch everywhere needs more.
const MAX_VISITS: u32 = 1_024;
/// Longest path that is looked at, in bytes. Servers refuse far shorter ones.
const MAX_PATH: usize = 65_535;
/// No node.
const NONE: u32 = u32::MAX;

/// The place of a route in a [`Matcher`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RouteIndex(pub u32);

/// An operation under one path template; OBP operations have one route per version.
#[derive(Clone, Debug)]
pub struct Route {
    /// The route's own place.
    pub index: RouteIndex,
    /// The operation.
    pub operation: Arc<Operation>,
    /// The template with the version filled in: what a record may show of the path.
    pub template: Arc<str>,
    /// Bit `31 - i` is set if segment `i` is literal, so that numeric order prefers literals on
    /// the left.
    literals: u32,
}

/// A value of a path parameter: a range of the path, still percent-encoded.
pub type Params = SmallVec<[ParamRange; MAX_PARAMS]>;

/// Byte offsets into a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamRange {
    /// First byte.
    pub start: u16,
    /// One after the last byte.
    pub end: u16,
}

/// What a request matched.
#[derive(Clone, Debug)]
pub struct Match<'m> {
    /// The route with its operation and template.
    pub route: &'m Route,
    /// The values of `route.operation.params`, in the same order.
    pub params: Params,
}

impl Match<'_> {
    /// The parameters of the operation with their raw values in `path`, which must be the path
    /// that was matched.
    pub fn values<'a>(
        &'a self,
        path: &'a str,
    ) -> impl Iterator<Item = (&'a super::model::PathParam, &'a str)> {
        self.route
            .operation
            .params
            .iter()
            .zip(&self.params)
            .filter_map(move |(param, range)| {
                let value = path.get(usize::from(range.start)..usize::from(range.end))?;
                Some((param, value))
            })
    }
}

/// All routes of a provider.
#[derive(Clone, Debug)]
pub struct Matcher {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    labels: String,
    ends: Vec<(Method, u32)>,
    routes: Vec<Route>,
    roots: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Node {
    /// Literal children, sorted by length and bytes of their label.
    edges: Range<u32>,
    /// Child for any segment, or [`NONE`].
    param: u32,
    /// Routes that end here.
    ends: Range<u32>,
    /// Routes that end here with a tail.
    tails: Range<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Edge {
    start: u32,
    len: u16,
    node: u32,
}

/// How good a match is; larger is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    literals: u32,
    mask: u32,
    /// Segments before the tail; the most there can be without one.
    depth: u32,
}

/// The bit of a segment in a mask.
const fn bit(depth: u32) -> u32 {
    1 << 31 >> depth
}

/// How well a method fits: the exact one, then GET for HEAD, then any; 0 for not at all.
fn method_fit(offered: Method, asked: Option<Method>) -> u8 {
    match (offered, asked) {
        (Method::Any, _) => 1,
        (Method::Get, Some(Method::Head)) => 2,
        (offered, Some(asked)) if offered == asked => 3,
        _ => 0,
    }
}

struct Search<'p> {
    path: &'p str,
    method: Option<Method>,
    segments: u32,
    visits: u32,
    best: Option<(Rank, u32)>,
}

impl Search<'_> {
    /// Whether no match below a node with these literals can beat the best one.
    fn is_hopeless(&self, depth: u32, mask: u32) -> bool {
        let Some((best, _)) = self.best else {
            return false;
        };
        let left = self.segments.saturating_sub(depth);
        // Segments beyond the deepest template can only be part of a tail.
        let rest = if depth >= 32 { 0 } else { u32::MAX >> depth };
        let bound = Rank {
            literals: mask.count_ones() + left,
            mask: mask | rest,
            depth: u32::MAX,
        };
        bound <= best
    }
}

impl Matcher {
    /// Builds the trie. Operations with bad templates are left out; [`Provider::parse`] has
    /// refused them already.
    pub fn new(provider: &Provider) -> Self {
        let mut builder = Builder::default();
        let roots = provider.services.iter().map(|_| builder.node()).collect();
        for operation in &provider.operations {
            if operation.recorded_as.is_some() {
                continue;
            }
            let root = usize::from(operation.service.0);
            if root >= provider.services.len() {
                continue;
            }
            for template in operation.templates() {
                builder.add(root, operation, template);
            }
        }
        builder.freeze(roots)
    }

    /// The route at an index that [`Matcher::find`] gave.
    pub fn route(&self, index: RouteIndex) -> Option<&Route> {
        self.routes.get(index.0 as usize)
    }

    /// How many routes there are.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there is no route.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Finds the operation for a method and a path without query. The path is compared as it
    /// came, byte for byte: percent-encoding and trailing slashes count.
    pub fn find(&self, service: ServiceIndex, method: &str, path: &str) -> Option<Match<'_>> {
        let root = *self.roots.get(usize::from(service.0))?;
        let rest = path.strip_prefix('/')?;
        if path.len() > MAX_PATH {
            return None;
        }
        let mut search = Search {
            path: rest,
            method: Method::parse(method).filter(|method| *method != Method::Any),
            segments: memchr::memchr_iter(b'/', path.as_bytes()).count() as u32,
            visits: 0,
            best: None,
        };
        self.walk(root, 0, 0, 0, &mut search);
        if search.visits > MAX_VISITS {
            return None;
        }
        let (_, route) = search.best?;
        let route = self.routes.get(route as usize)?;
        Some(Match {
            route,
            params: params(route, path),
        })
    }

    /// Visits a node whose path is consumed up to `at`, the start of segment `depth`; `at` is
    /// one past the end when no segment is left.
    fn walk(&self, node: u32, at: usize, depth: u32, mask: u32, search: &mut Search<'_>) {
        search.visits += 1;
        if search.visits > MAX_VISITS || search.is_hopeless(depth, mask) {
            return;
        }
        let Some(node) = self.nodes.get(node as usize) else {
            return;
        };
        let Some(rest) = search.path.get(at..) else {
            self.offer(&node.ends, mask, u32::MAX, search);
            return;
        };
        let len = memchr::memchr(b'/', rest.as_bytes()).unwrap_or(rest.len());
        let segment = &rest[..len];
        let next = at + len + 1;
        if let Some(child) = self.literal_child(node, segment) {
            self.walk(child, next, depth + 1, mask | bit(depth), search);
        }
        if len > 0 {
            if node.param != NONE {
                self.walk(node.param, next, depth + 1, mask, search);
            }
            self.offer(&node.tails, mask, depth, search);
        }
    }

    fn literal_child(&self, node: &Node, segment: &str) -> Option<u32> {
        let edges = self
            .edges
            .get(node.edges.start as usize..node.edges.end as usize)?;
        let labels = self.labels.as_bytes();
        let wanted = segment.as_bytes();
        let at = edges
            .binary_search_by(|edge| {
                usize::from(edge.len).cmp(&wanted.len()).then_with(|| {
                    let start = edge.start as usize;
                    labels
                        .get(start..start + usize::from(edge.len))
                        .cmp(&Some(wanted))
                })
            })
            .ok()?;
        edges.get(at).map(|edge| edge.node)
    }

    /// Takes the route of a node that fits the method best, if it beats the best so far.
    fn offer(&self, ends: &Range<u32>, mask: u32, depth: u32, search: &mut Search<'_>) {
        let Some(ends) = self.ends.get(ends.start as usize..ends.end as usize) else {
            return;
        };
        let fitting = ends
            .iter()
            .map(|(method, route)| (method_fit(*method, search.method), *route))
            .filter(|(fit, _)| *fit > 0)
            .max_by_key(|(fit, _)| *fit);
        let Some((_, route)) = fitting else {
            return;
        };
        let rank = Rank {
            literals: mask.count_ones(),
            mask,
            depth,
        };
        if search.best.is_none_or(|(best, _)| rank > best) {
            search.best = Some((rank, route));
        }
    }
}

/// The ranges of the segments that are not literal in a route that matched.
fn params(route: &Route, path: &str) -> Params {
    let mut params = Params::new();
    let wanted = route.operation.params.len();
    let mut start = 1;
    let mut depth = 0;
    while params.len() < wanted && start <= path.len() {
        let tail = params.len() + 1 == wanted && route.operation.has_tail();
        let len = memchr::memchr(b'/', &path.as_bytes()[start..]).unwrap_or(path.len() - start);
        if depth >= 32 || route.literals & bit(depth) == 0 {
            let end = if tail { path.len() } else { start + len };
            // Both fit: find() refuses paths beyond u16.
            params.push(ParamRange {
                start: start as u16,
                end: end as u16,
            });
        }
        start += len + 1;
        depth += 1;
    }
    params
}

/// A trie under construction.
#[derive(Default)]
struct Builder {
    nodes: Vec<Draft>,
    routes: Vec<Route>,
}

#[derive(Default)]
struct Draft {
    literals: std::collections::BTreeMap<(usize, Box<str>), u32>,
    param: Option<u32>,
    ends: Vec<(Method, u32)>,
    tails: Vec<(Method, u32)>,
}

impl Builder {
    fn node(&mut self) -> u32 {
        self.nodes.push(Draft::default());
        (self.nodes.len() - 1) as u32
    }

    fn add(&mut self, root: usize, operation: &Arc<Operation>, template: Arc<str>) {
        let Ok(segments) = template::parse(&template) else {
            return;
        };
        let mut at = root;
        let mut literals = 0;
        let mut tail = false;
        for (depth, segment) in (0..).zip(&segments) {
            let fresh = self.nodes.len() as u32;
            let child = match segment {
                Segment::Literal(text) => {
                    literals |= bit(depth);
                    *self.nodes[at]
                        .literals
                        .entry((text.len(), (*text).into()))
                        .or_insert(fresh)
                }
                Segment::Param(_) => *self.nodes[at].param.get_or_insert(fresh),
                Segment::Tail(_) => {
                    tail = true;
                    break;
                }
            };
            if child == fresh {
                self.node();
            }
            at = child as usize;
        }
        let index = self.routes.len() as u32;
        let draft = &mut self.nodes[at];
        let ends = if tail {
            &mut draft.tails
        } else {
            &mut draft.ends
        };
        if ends.iter().any(|(method, _)| *method == operation.method) {
            return;
        }
        ends.push((operation.method, index));
        self.routes.push(Route {
            index: RouteIndex(index),
            operation: Arc::clone(operation),
            template,
            literals,
        });
    }

    fn freeze(self, roots: Vec<u32>) -> Matcher {
        let mut matcher = Matcher {
            nodes: Vec::with_capacity(self.nodes.len()),
            edges: Vec::new(),
            labels: String::new(),
            ends: Vec::new(),
            routes: self.routes,
            roots,
        };
        let mut label_at = std::collections::HashMap::new();
        for draft in self.nodes {
            let first = matcher.edges.len() as u32;
            for ((len, label), node) in draft.literals {
                let start = *label_at.entry(label).or_insert_with_key(|label| {
                    matcher.labels.push_str(label);
                    (matcher.labels.len() - label.len()) as u32
                });
                // A template is at most 512 bytes long.
                matcher.edges.push(Edge {
                    start,
                    len: len as u16,
                    node,
                });
            }
            let edges = first..matcher.edges.len() as u32;
            let ends = append(&mut matcher.ends, draft.ends);
            let tails = append(&mut matcher.ends, draft.tails);
            let param = draft.param.unwrap_or(NONE);
            matcher.nodes.push(Node {
                edges,
                param,
                ends,
                tails,
            });
        }
        matcher
    }
}

fn append<T>(to: &mut Vec<T>, items: Vec<T>) -> Range<u32> {
    let start = to.len() as u32;
    to.extend(items);
    start..to.len() as u32
}

impl Operation {
    /// The templates that requests match: one per version, or the template itself.
    pub fn templates(&self) -> impl Iterator<Item = Arc<str>> + '_ {
        let plain = self.versions.is_empty().then(|| Arc::clone(&self.template));
        let versioned = self.versions.iter().map(|version| {
            self.template
                .replacen(&format!("{{{VERSION}}}"), version, 1)
                .into()
        });
        plain.into_iter().chain(versioned)
    }

    /// Whether the template ends with a `{NAME+}` parameter.
    fn has_tail(&self) -> bool {
        self.template.ends_with("+}")
    }
}
