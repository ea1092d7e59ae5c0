//! Size, rows and growth over time: three small charts with one time axis, and the same as a table.

mod series;

use maud::{Markup, html};

use crate::console::text;
use crate::serve::documents::backup::Backup;
use crate::serve::pages::context::Context;
use crate::serve::pages::home::growth::series::{Bin, HEIGHT, WIDTH, area, bars, bins, line};
use crate::serve::pages::words;

/// The three charts.
pub(super) fn section(context: &Context, backups: &[Backup]) -> Markup {
    let bins = bins(backups);
    html! {
        section.card.growth aria-labelledby="growth" {
            div.head {
                h2 #growth { "Growth" }
                @if let (Some(first), Some(last)) = (bins.first(), bins.last()) {
                    p.muted { (day(context, first)) " – " (day(context, last)) }
                }
            }
            (curve("Size of the database", &bins, |bin| bin.size_bytes, text::size))
            (curve("Rows", &bins, |bin| bin.rows, text::digits))
            (columns(&bins))
            details {
                summary { "Show the numbers as a table" }
                (table(context, &bins))
            }
        }
    }
}

fn day(context: &Context, bin: &Bin) -> String {
    words::day(bin.until, context.now.date_naive())
}

/// A value over time.
fn curve(name: &str, bins: &[Bin], of: fn(&Bin) -> u64, shown: fn(u64) -> String) -> Markup {
    let values: Vec<u64> = bins.iter().map(of).collect();
    let (first, last) = (values.first().copied(), values.last().copied().unwrap_or(0));
    html! {
        figure {
            figcaption {
                span { (name) }
                b { (shown(last)) }
                @if let Some(first) = first { span.muted { "from " (shown(first)) } }
            }
            svg.plot viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" aria-hidden="true" {
                path.area d=(area(&values)) {}
                path.curve d=(line(&values)) {}
            }
        }
    }
}

/// What the backups added to the folder.
fn columns(bins: &[Bin]) -> Markup {
    let values: Vec<u64> = bins.iter().map(|bin| bin.new_bytes).collect();
    html! {
        figure {
            figcaption {
                span { "Bytes that backups added" }
                b { (text::size(values.iter().sum())) }
                span.muted { "most at once " (text::size(values.iter().copied().max().unwrap_or(0))) }
            }
            svg.plot viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" aria-hidden="true" {
                path.bars d=(bars(&values)) {}
            }
        }
    }
}

fn table(context: &Context, bins: &[Bin]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Growth as a table" {
            table.plain {
                thead {
                    tr {
                        th scope="col" { "Until" }
                        th.n scope="col" { "Size" }
                        th.n scope="col" { "Rows" }
                        th.n scope="col" { "Added" }
                    }
                }
                tbody {
                    @for bin in bins.iter().rev() {
                        tr {
                            th scope="row" { (day(context, bin)) }
                            td.n { (text::size(bin.size_bytes)) }
                            td.n { (text::digits(bin.rows)) }
                            td.n { (text::size(bin.new_bytes)) }
                        }
                    }
                }
            }
        }
    }
}
