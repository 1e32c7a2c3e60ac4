//! Finds the operation that a request calls.
//!
//! A trie over path segments, one root per service, searched depth first with pruning. Of all
//! templates that match, the one with most literal segments wins; of those, the one whose first
//! differing segment is literal; of those, the one without a `{NAME+}` tail or else the one whose
//! tail starts last. The search neither
//! allocates nor visits more than [`MAX_VISITS`] nodes.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::model::{Method, Operation, Provider, ServiceIndex};
use super::template::{self, MAX_PARAMS, MAX_SEGMENTS, Segment, VERSION};

/// Most trie nodes that one search visits; beyond, nothing matches. A path of the largest
/// provider (OBP) visits fewer than 60; only a catalog made to branch everywhere needs more.
const MAX_VISITS: u32 = 1_024;
/// Longest path that is looked at, in bytes: offsets are u16. Servers refuse far shorter ones.
const MAX_PATH: usize = u16::MAX as usize - 1;
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
    labels: Vec<u8>,
    ends: Vec<(Method, u32)>,
    routes: Vec<Route>,
    roots: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Node {
    /// Literal children, sorted by [`Label`].
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
    label: Label,
    /// Where the label's text is in [`Matcher::labels`].
    start: u32,
    node: u32,
}

/// A literal segment, short enough to compare without its text in most cases: the first eight
/// bytes as a number, then the length. Longer texts are compared in full if these are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Label {
    head: u64,
    len: u16,
}

/// Bytes of a segment that a [`Label`] holds.
const HEAD: usize = 8;

impl Label {
    fn of(text: &[u8]) -> Self {
        let mut head = [0; HEAD];
        for (to, from) in head.iter_mut().zip(text) {
            *to = *from;
        }
        // A path is at most u16 long.
        Self {
            head: u64::from_be_bytes(head),
            len: text.len() as u16,
        }
    }
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

/// Where the segments of a path start: one more than the deepest template has, so that the end
/// of the last one is known. A path can have more.
#[derive(Clone, Copy)]
struct Steps<'p> {
    path: &'p [u8],
    starts: [u16; MAX_SEGMENTS + 2],
    count: u32,
}

impl<'p> Steps<'p> {
    /// `None` for a path that does not start with a slash or is too long.
    fn of(path: &'p str) -> Option<Self> {
        let path = path.as_bytes();
        if path.first() != Some(&b'/') || path.len() > MAX_PATH {
            return None;
        }
        let mut starts = [0; MAX_SEGMENTS + 2];
        let mut count: u32 = 0;
        for (at, byte) in path.iter().enumerate() {
            if *byte == b'/' {
                if let Some(start) = starts.get_mut(count as usize) {
                    *start = at as u16 + 1;
                }
                count += 1;
            }
        }
        if let Some(end) = starts.get_mut(count as usize) {
            *end = path.len() as u16 + 1;
        }
        Some(Self {
            path,
            starts,
            count,
        })
    }

    /// The bounds of a segment; `None` past the last one, and past the deepest template.
    fn bounds(&self, depth: u32) -> Option<ParamRange> {
        let depth = (depth < self.count).then_some(depth as usize)?;
        let start = *self.starts.get(depth)?;
        let end = self.starts.get(depth + 1)?.checked_sub(1)?;
        Some(ParamRange { start, end })
    }

    fn segment(&self, depth: u32) -> Option<&'p [u8]> {
        let bounds = self.bounds(depth)?;
        self.path
            .get(usize::from(bounds.start)..usize::from(bounds.end))
    }
}

struct Search<'p> {
    steps: Steps<'p>,
    method: Option<Method>,
    visits: u32,
    best: Option<(Rank, u32)>,
}

impl Search<'_> {
    /// Whether no match below a node with these literals can beat the best one.
    fn is_hopeless(&self, depth: u32, mask: u32) -> bool {
        let Some((best, _)) = self.best else {
            return false;
        };
        let left = self.steps.count.saturating_sub(depth);
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
        let mut search = Search {
            steps: Steps::of(path)?,
            method: Method::parse(method).filter(|method| *method != Method::Any),
            visits: 0,
            best: None,
        };
        self.walk(root, 0, 0, &mut search);
        if search.visits > MAX_VISITS {
            return None;
        }
        let (_, route) = search.best?;
        let route = self.routes.get(route as usize)?;
        Some(Match {
            route,
            params: params(route, &search.steps),
        })
    }

    /// Visits a node that the first `depth` segments lead to.
    fn walk(&self, node: u32, depth: u32, mask: u32, search: &mut Search<'_>) {
        search.visits += 1;
        if search.visits > MAX_VISITS || search.is_hopeless(depth, mask) {
            return;
        }
        let Some(node) = self.nodes.get(node as usize) else {
            return;
        };
        let Some(segment) = search.steps.segment(depth) else {
            if depth == search.steps.count {
                self.offer(&node.ends, mask, u32::MAX, search);
            }
            return;
        };
        if let Some(child) = self.literal_child(node, segment) {
            self.walk(child, depth + 1, mask | bit(depth), search);
        }
        if !segment.is_empty() {
            if node.param != NONE {
                self.walk(node.param, depth + 1, mask, search);
            }
            self.offer(&node.tails, mask, depth, search);
        }
    }

    fn literal_child(&self, node: &Node, segment: &[u8]) -> Option<u32> {
        let edges = self
            .edges
            .get(node.edges.start as usize..node.edges.end as usize)?;
        let wanted = Label::of(segment);
        let at = edges
            .binary_search_by(|edge| {
                edge.label.cmp(&wanted).then_with(|| match segment.len() {
                    ..=HEAD => Ordering::Equal,
                    len => self
                        .labels
                        .get(edge.start as usize..edge.start as usize + len)
                        .cmp(&Some(segment)),
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
fn params(route: &Route, steps: &Steps<'_>) -> Params {
    let mut params = Params::new();
    let mut variable = !route.literals;
    for _ in 0..route.operation.params.len() {
        // A template has at most 32 segments, so each parameter has a bit.
        let depth = variable.leading_zeros();
        let Some(bounds) = steps.bounds(depth).filter(|_| variable != 0) else {
            break;
        };
        variable &= !bit(depth);
        params.push(bounds);
    }
    if let Some(last) = params.last_mut().filter(|_| route.operation.has_tail()) {
        last.end = steps.path.len() as u16;
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
    literals: std::collections::BTreeMap<(Label, Box<str>), u32>,
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
                        .entry((Label::of(text.as_bytes()), (*text).into()))
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
            labels: Vec::new(),
            ends: Vec::new(),
            routes: self.routes,
            roots,
        };
        let mut label_at = std::collections::HashMap::new();
        for draft in self.nodes {
            let first = matcher.edges.len() as u32;
            for ((label, text), node) in draft.literals {
                let start = *label_at.entry(text).or_insert_with_key(|text| {
                    matcher.labels.extend_from_slice(text.as_bytes());
                    (matcher.labels.len() - text.len()) as u32
                });
                matcher.edges.push(Edge { label, start, node });
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
