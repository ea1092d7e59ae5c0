//! The order in which tables are written: parents before their children.

use std::collections::{BTreeMap, BTreeSet};

/// The names in an order in which each is after its parents, as far as no cycle of references
/// forbids it; otherwise by name. Parents that are none of the names are ignored.
#[must_use]
pub(crate) fn parents_first(parents: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut order = Vec::new();
    let mut seen = BTreeSet::new();
    for name in parents.keys() {
        // A name and those of its parents that were not visited yet; no recursion, because a
        // hostile schema may be as deep as it likes.
        let mut path = vec![(name, parents[name].iter())];
        if !seen.insert(name) {
            continue;
        }
        while let Some((name, rest)) = path.last_mut() {
            match rest.next() {
                None => {
                    order.push((*name).clone());
                    path.pop();
                }
                Some(parent) => {
                    if let Some((parent, above)) = parents.get_key_value(parent)
                        && seen.insert(parent)
                    {
                        path.push((parent, above.iter()));
                    }
                }
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graph(edges: &[(&str, &str)]) -> BTreeMap<String, BTreeSet<String>> {
        let mut graph = BTreeMap::<String, BTreeSet<String>>::new();
        for (child, parent) in edges {
            graph.entry((*child).to_owned()).or_default().insert((*parent).to_owned());
            graph.entry((*parent).to_owned()).or_default();
        }
        graph
    }

    #[test]
    fn parents_come_first_and_cycles_do_no_harm() {
        for (edges, expected) in [
            (&[("a", "b"), ("b", "c"), ("d", "d")][..], "c b a d"),
            (&[("a", "b"), ("b", "a"), ("b", "z")], "z b a"),
            // A child of a cycle is after it, whatever its name.
            (&[("a", "x"), ("x", "y"), ("y", "x")], "y x a"),
        ] {
            assert_eq!(parents_first(&graph(edges)).join(" "), expected);
        }
        let mut graph = graph(&[("a", "b")]);
        graph.remove("b");
        assert_eq!(parents_first(&graph), ["a"]);
    }

    #[test]
    fn a_chain_of_any_depth_overflows_nothing() {
        let name = |n: u32| format!("{n:06}");
        let graph = (0..100_000).map(|n| (name(n), BTreeSet::from([name(n + 1)]))).collect();
        assert_eq!(parents_first(&graph).first(), Some(&name(99_999)));
    }

    proptest! {
        #[test]
        fn every_table_stands_once_and_after_its_parents(
            edges in proptest::collection::vec((0_u8..12, 0_u8..12), 0..30)
        ) {
            // Upwards only: no cycles.
            let name = |n: u8| format!("{:02}", n * 7 % 12);
            let mut graph: BTreeMap<String, BTreeSet<String>> =
                (0..12).map(|n| (name(n), BTreeSet::new())).collect();
            for (a, b) in edges.into_iter().filter(|(a, b)| a != b) {
                graph.get_mut(&name(a.max(b))).expect("a table").insert(name(a.min(b)));
            }
            let order = parents_first(&graph);
            let place = |name: &String| order.iter().position(|other| other == name);
            prop_assert_eq!(order.len(), graph.len());
            for (child, parents) in &graph {
                for parent in parents {
                    prop_assert!(place(parent) < place(child));
                }
            }
        }
    }
}
