use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actors_core::host::Time;
use event_listener::Event;
use parking_lot::Mutex;

use super::{Discovery, DiscoveryError};
use crate::{Member, Node, NodeError, connection::or_left, wire::Refusal};

/// Between two questions for addresses.
const AGAIN: Duration = Duration::from_millis(500);

impl Node {
    /// Joins the cluster whose nodes are found in this way. Returns when a first one was joined, with those
    /// that are connected by then; the others that were found are tried until `timeout` all the same, so
    /// that nodes that start together become one cluster, whoever was there first.
    ///
    /// A node that finds nobody but itself, or is given an empty list, is the first one: that is no error.
    ///
    /// Cancel safe: nodes that were found may still be joined. When this node leaves meanwhile, the search is over.
    ///
    /// # Errors
    /// [`NodeError::Alone`] when all that were found have refused for good, or none was joined until
    /// `timeout`; [`NodeError::Discovery`] when no addresses were told until then.
    ///
    /// ```
    /// # use actors_core::System;
    /// # use actors_node::{Node, NodeError};
    /// # use std::time::Duration;
    /// # async fn start(system: &System) -> Result<Node, NodeError> {
    /// let node = Node::builder(system).listen("127.0.0.1:7001").start().await?;
    /// let seeds = vec!["127.0.0.1:7000", "127.0.0.1:7001"];
    /// node.join_by(&seeds, Duration::from_secs(30)).await?;
    /// # Ok(node)
    /// # }
    /// ```
    pub async fn join_by(
        &self,
        discovery: &dyn Discovery,
        timeout: Duration,
    ) -> Result<Vec<Member>, NodeError> {
        let host = self.system().host().clone();
        let search = Search::until(self, host.clock.now() + timeout);
        loop {
            let asked = search.ask(discovery).await;
            asked.iter().for_each(|addresses| search.try_all(addresses));
            let round = (host.clock.now() + AGAIN).min(search.until);
            let verdict = search.verdict_until(round, asked.is_ok()).await;
            match (verdict, asked) {
                (Some(Verdict::Found), _) => return Ok(self.members()),
                (Some(Verdict::Refused), _) => return Err(search.alone()),
                (None, _) if host.clock.now() < search.until => {}
                (None, Err(error)) if !search.has_tried() => {
                    return Err(NodeError::Discovery(error));
                }
                (None, _) => return Err(search.alone()),
            }
        }
    }
}

/// What comes of a search.
enum Verdict {
    /// Others, or that there are none.
    Found,
    /// Nobody takes this node, and nobody else is known.
    Refused,
}

struct Search<'a> {
    node: &'a Node,
    until: Time,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    answers: Mutex<BTreeMap<String, Answer>>,
    changed: Event,
}

/// What one that was tried has said.
enum Answer {
    Open,
    Joined,
    /// It is this node.
    Itself,
    No(NodeError),
}

impl<'a> Search<'a> {
    fn until(node: &'a Node, until: Time) -> Self {
        Self { node, until, heard: Arc::default() }
    }

    /// An answer that never comes is none by the end of the search.
    async fn ask(&self, discovery: &dyn Discovery) -> Result<Vec<String>, DiscoveryError> {
        let host = self.node.system().host();
        let late = async {
            host.clock.sleep(self.until.since(host.clock.now())).await;
            Err(DiscoveryError::TimedOut)
        };
        futures_lite::future::or(discovery.addresses(host), late).await
    }

    /// Begins to try those that are new.
    fn try_all(&self, addresses: &[String]) {
        for address in addresses {
            let mut answers = self.heard.answers.lock();
            if *address == self.node.member().address || answers.contains_key(address) {
                continue;
            }
            answers.insert(address.clone(), Answer::Open);
            drop(answers);
            self.try_one(address.clone());
        }
    }

    fn try_one(&self, address: String) {
        let (node, heard) = (self.node.clone(), self.heard.clone());
        let timeout = self.until.since(node.system().host().clock.now());
        self.node.system().spawn_task(async move {
            let answer = match or_left(&node.0, node.join(&address, timeout)).await {
                Some(Ok(_)) => Answer::Joined,
                None | Some(Err(NodeError::Refused { refusal: Refusal::Itself, .. })) => {
                    Answer::Itself
                }
                Some(Err(error)) => Answer::No(error),
            };
            heard.answers.lock().insert(address, answer);
            heard.changed.notify(usize::MAX);
        });
    }

    /// `None` if there is none by then. Others may still be found if it is not `complete`.
    async fn verdict_until(&self, until: Time, complete: bool) -> Option<Verdict> {
        let clock = self.node.system().host().clock.clone();
        loop {
            let changed = self.heard.changed.listen();
            if let Some(verdict) = self.verdict(complete) {
                return Some(verdict);
            }
            let rest = until.since(clock.now());
            if rest.is_zero() {
                return None;
            }
            futures_lite::future::or(changed, clock.sleep(rest)).await;
        }
    }

    fn verdict(&self, complete: bool) -> Option<Verdict> {
        let answers = self.heard.answers.lock();
        let any = |is: fn(&Answer) -> bool| answers.values().any(is);
        if any(|answer| matches!(answer, Answer::Joined)) {
            return Some(Verdict::Found);
        }
        if !complete || any(|answer| matches!(answer, Answer::Open)) {
            return None;
        }
        let refused = any(|answer| matches!(answer, Answer::No(_)));
        Some(if refused { Verdict::Refused } else { Verdict::Found })
    }

    fn has_tried(&self) -> bool {
        !self.heard.answers.lock().is_empty()
    }

    fn alone(&self) -> NodeError {
        let answers = self.heard.answers.lock();
        let why = |(address, answer): (&String, &Answer)| match answer {
            Answer::Open => {
                let error = "it has not answered".into();
                Some(NodeError::Unreachable { address: address.clone(), error })
            }
            Answer::No(error) => Some(error.clone()),
            Answer::Joined | Answer::Itself => None,
        };
        NodeError::Alone { tried: answers.iter().filter_map(why).collect() }
    }
}
