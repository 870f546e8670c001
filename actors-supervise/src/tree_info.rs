//! A tree of supervisors as it is now, to be printed.

use std::{fmt, time::Duration};

use actors_core::{BoxFuture, CallError, Link, Status};
use futures_lite::future;

use crate::{
    ChildError, ChildInfo, ChildKind, ChildStatus, Limit, Strategy, Supervisor, SupervisorLink,
    commands::WhichTree,
};

/// A supervisor and all below it. Printed, it is a tree:
///
/// ```text
/// /web (one_for_one, 1 of 3 restarts in 5 s)
/// ├── acceptor  worker      running     incarnation 1
/// ├── sessions  supervisor  running     incarnation 2  (one_for_all, 0 of 3 restarts in 5 s)
/// │   ├── 1     worker      restarting  incarnation 4
/// │   └── 2     worker      running     incarnation 3
/// └── cleaner   task        running     incarnation 1
/// ```
///
/// Each supervisor tells of its own children at one moment; of two supervisors the moments differ.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tree {
    /// Where it is: `/web`, `/web/sessions`.
    pub path: String,
    /// Whom a failure takes along.
    pub strategy: Strategy,
    /// How many restarts it allows.
    pub limit: Limit,
    /// Those within the last period.
    pub restarts: usize,
    /// In the order of their start.
    pub children: Vec<Branch>,
}

/// A child in a [`Tree`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Branch {
    /// What its supervisor knows of it.
    pub child: ChildInfo,
    /// What is below it, if it is a supervisor and not stopped; or why that is not known: it starts or ends
    /// just now, or it is on another node.
    pub below: Option<Result<Tree, CallError>>,
}

/// What a supervisor says of itself.
pub(crate) type Trunk = (Tree, Vec<Option<Link<Supervisor>>>);

impl SupervisorLink {
    /// The supervisor and all below it, as of now: to look at, or to print.
    ///
    /// Supervisors at the same depth are asked at the same time, and none waits for another. One that
    /// does not answer within a second, because it starts or ends its children, is there without them.
    ///
    /// ```
    /// # use actors_core::{Actor, System};
    /// # use actors_supervise::{ChildSpec, Strategy, Supervisor};
    /// # struct Worker; impl Actor for Worker {}
    /// # let system = System::new();
    /// # system.block_on(async {
    /// let pool = Supervisor::builder(Strategy::OneForAll).child(ChildSpec::new("a", || Worker));
    /// let web = Supervisor::builder(Strategy::OneForOne)
    ///     .id("web")
    ///     .child(ChildSpec::supervisor("pool", pool))
    ///     .start(&system)
    ///     .await?;
    /// println!("{}", web.tree().await?);
    /// # assert_eq!(web.tree().await?.to_string().lines().count(), 3);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`ChildError::Supervisor`].
    pub async fn tree(&self) -> Result<Tree, ChildError> {
        let trunk = self.link().call(WhichTree).forever().await?;
        Ok(grow(trunk).await)
    }
}

/// Asks the supervisors among the children for theirs.
fn grow((mut tree, below): Trunk) -> BoxFuture<'static, Tree> {
    Box::pin(async move {
        let mut asked: Vec<_> = below.into_iter().map(|link| Some(ask(link?))).collect();
        let mut grown = Vec::new();
        // Each is polled while another is waited for.
        future::poll_fn(|task| {
            grown.resize_with(asked.len(), || None);
            let mut waits = false;
            for (asked, grown) in asked.iter_mut().zip(&mut grown) {
                let Some(answer) = asked else { continue };
                match answer.as_mut().poll(task) {
                    std::task::Poll::Ready(tree) => (*asked, *grown) = (None, Some(tree)),
                    std::task::Poll::Pending => waits = true,
                }
            }
            if waits { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
        })
        .await;
        for (branch, grown) in tree.children.iter_mut().zip(grown) {
            if grown.is_some() {
                branch.below = grown;
            }
        }
        tree
    })
}

fn ask(link: Link<Supervisor>) -> BoxFuture<'static, Result<Tree, CallError>> {
    Box::pin(async move {
        if link.info().status == Status::Remote {
            return Err(CallError::NotLocal);
        }
        let trunk = link.call(WhichTree).within(PATIENCE).await?;
        Ok(grow(trunk).await)
    })
}

const PATIENCE: Duration = Duration::from_secs(1);

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = Vec::new();
        self.rows("", &mut rows);
        let name = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let kind = rows.iter().map(|row| row.child.kind.as_str().len()).max().unwrap_or(0);
        let status = rows.iter().map(|row| row.child.status.as_str().len()).max().unwrap_or(0);
        write!(f, "{} {}", self.path, self.settings())?;
        for Row { name: text, child, below } in &rows {
            let (is, does) = (child.kind.as_str(), child.status.as_str());
            write!(f, "\n{text:name$}  {is:kind$}  {does:status$}")?;
            write!(f, "  incarnation {}", child.incarnation)?;
            if let Some(host) = child.host {
                write!(f, "  on {host}")?;
            }
            match below {
                None => {}
                Some(Ok(tree)) => write!(f, "  {}", tree.settings())?,
                Some(Err(error)) => write!(f, "  ({error})")?,
            }
        }
        Ok(())
    }
}

/// One line of a printed tree.
struct Row<'a> {
    name: String,
    child: &'a ChildInfo,
    below: &'a Option<Result<Tree, CallError>>,
}

impl Tree {
    fn rows<'a>(&'a self, indent: &str, rows: &mut Vec<Row<'a>>) {
        for (number, Branch { child, below }) in self.children.iter().enumerate() {
            let is_last = number + 1 == self.children.len();
            let (fork, further) =
                if is_last { ("└── ", "    ") } else { ("├── ", "│   ") };
            rows.push(Row { name: format!("{indent}{fork}{}", child.id), child, below });
            if let Some(Ok(tree)) = below {
                tree.rows(&format!("{indent}{further}"), rows);
            }
        }
    }

    fn settings(&self) -> String {
        let Limit { max_restarts, period } = self.limit;
        let (strategy, restarts) = (self.strategy.as_str(), self.restarts);
        format!("({strategy}, {restarts} of {max_restarts} restarts in {} s)", period.as_secs_f64())
    }
}

impl Strategy {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::OneForOne => "one_for_one",
            Self::OneForAll => "one_for_all",
            Self::RestForOne => "rest_for_one",
        }
    }
}

impl ChildKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Supervisor => "supervisor",
            Self::Task => "task",
        }
    }
}

impl ChildStatus {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
}
