//! Who is above whom: no supervisor comes below itself.

use std::collections::HashSet;

use actors_core::AnyLink;

/// `below` comes under `above`. False if `above` is below it already.
///
/// It is said first and looked at then: of adoptions that make a circle together, the last one to say so
/// finds it. All of them may.
pub(super) fn extend(above: &AnyLink, below: &AnyLink) -> bool {
    below.set_supervisor(above);
    let mut seen = HashSet::new();
    let mut next = Some(above.clone());
    while let Some(link) = next {
        if link == *below {
            return false;
        }
        // A circle that others are about to find.
        if !seen.insert(link.id()) {
            return true;
        }
        next = link.supervisor();
    }
    true
}
