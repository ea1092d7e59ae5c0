//! `Range` (RFC 9110, section 14): one range of bytes of a file.

use axum::http::{HeaderMap, HeaderName, StatusCode, header};

use crate::serve::downloads::{Download, Part};
use crate::serve::problem::Problem;

/// The part that is asked for; several ranges, and one of another version of the file, are answered by the whole.
///
/// # Errors
///
/// 416 if it begins behind the file.
pub(crate) fn asked(headers: &HeaderMap, size_bytes: u64, etag: &str) -> Result<Part, Problem> {
    let whole = Part { offset_bytes: 0, n_bytes: size_bytes, is_partial: false };
    let if_range = headers.get(header::IF_RANGE);
    let is_same = if_range.is_none_or(|value| value.as_bytes() == etag.as_bytes());
    let given = headers.get(header::RANGE).filter(|_| is_same);
    let given = given.and_then(|value| value.to_str().ok()?.strip_prefix("bytes="));
    let Some((first, last)) = given.and_then(|range| range.split_once('-')) else {
        return Ok(whole);
    };
    let number = |text: &str| (!text.is_empty()).then(|| text.parse::<u64>().ok());
    let (offset_bytes, end) = match (number(first.trim()), number(last.trim())) {
        (Some(Some(first)), Some(Some(last))) if first <= last => {
            (first, last.saturating_add(1).min(size_bytes))
        }
        (Some(Some(first)), None) => (first, size_bytes),
        (None, Some(Some(n_last))) => (size_bytes.saturating_sub(n_last), size_bytes),
        _ => return Ok(whole),
    };
    if offset_bytes >= size_bytes {
        return Err(Problem::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            format!("the file has {size_bytes} bytes"),
            "ask for a range within it",
        ));
    }
    Ok(Part { offset_bytes, n_bytes: end - offset_bytes, is_partial: true })
}

/// The headers of an answer with a part.
#[must_use]
pub(crate) fn headers(part: &Part, download: &Download) -> Vec<(HeaderName, String)> {
    let mut headers = vec![
        (header::CONTENT_TYPE, "application/vnd.sqlite3".to_owned()),
        (header::CONTENT_LENGTH, part.n_bytes.to_string()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::ETAG, download.etag.clone()),
    ];
    if part.is_partial {
        let last = part.offset_bytes + part.n_bytes - 1;
        let range = format!("bytes {}-{last}/{}", part.offset_bytes, download.size_bytes);
        headers.push((header::CONTENT_RANGE, range));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_understood_and_others_get_the_whole() {
        let check = |range: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, range.parse().expect("a header"));
            asked(&headers, 100, "\"x\"")
                .map(|part| (part.offset_bytes, part.n_bytes, part.is_partial))
        };
        assert_eq!(check("bytes=0-9").expect("a part"), (0, 10, true));
        assert_eq!(check("bytes=90-").expect("a part"), (90, 10, true));
        assert_eq!(check("bytes=-5").expect("a part"), (95, 5, true));
        assert_eq!(check("bytes=-500").expect("a part"), (0, 100, true));
        assert_eq!(check("bytes=50-500").expect("a part"), (50, 50, true));
        for odd in ["bytes=9-0", "bytes=0-1,5-6", "lines=0-1", "bytes=x-y", "bytes=-"] {
            assert_eq!(check(odd).expect("the whole"), (0, 100, false), "{odd}");
        }
        assert_eq!(check("bytes=100-").expect_err("behind").status, 416);
    }

    #[test]
    fn a_range_of_another_version_gets_the_whole() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, "bytes=1-2".parse().expect("a header"));
        headers.insert(header::IF_RANGE, "\"old\"".parse().expect("a header"));
        assert!(!asked(&headers, 100, "\"new\"").expect("the whole").is_partial);
    }
}
