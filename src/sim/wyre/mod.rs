use super::{
    SimOptions,
    message::{Reply, Request},
};
pub struct Wyre;
impl Wyre {
    pub fn new(_: &SimOptions) -> Self {
        Self
    }
    pub fn handle(&mut self, _: &Request, _: bool, _: bool) -> Reply {
        Reply::empty(404)
    }
}
