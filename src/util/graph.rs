//! Bars of text, one column each: LATENCY GRAPH.

/// The widest graph; what is beyond goes below.
pub const COLUMNS: usize = 80;
/// Rows of the bars; each is drawn in three heights.
const ROWS: usize = 4;
const HEIGHTS: &[u8] = b"_o#";

pub struct Bar {
    pub value: u64,
    /// Written downwards below the bar.
    pub label: String,
}

/// Draws the bars between the least and the greatest of them.
pub fn draw(bars: &[Bar]) -> String {
    let low = bars.iter().map(|bar| bar.value).min().unwrap_or(0);
    let high = bars.iter().map(|bar| bar.value).max().unwrap_or(0);
    let steps = HEIGHTS.len() * ROWS;
    let step = |bar: &Bar| {
        let share = (bar.value - low) as f64 / (high - low).max(1) as f64;
        ((share * steps as f64) as usize).min(steps - 1)
    };
    let mut out = String::new();
    for (at, bars) in bars.chunks(COLUMNS).enumerate() {
        if at > 0 {
            out.push('\n');
        }
        let labels = bars.iter().map(|bar| bar.label.len()).max().unwrap_or(0);
        for row in 0..ROWS {
            let below = (ROWS - 1 - row) * HEIGHTS.len();
            out.extend(bars.iter().map(|bar| match step(bar).checked_sub(below) {
                None => ' ',
                Some(height) => HEIGHTS.get(height).map_or('|', |mark| char::from(*mark)),
            }));
            out.push('\n');
        }
        for row in 0..labels {
            out.extend(bars.iter().map(|bar| bar.label.as_bytes().get(row).map_or(' ', |byte| char::from(*byte))));
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_from_the_least_to_the_greatest() {
        let bar = |value, label: &str| Bar { value, label: label.to_owned() };
        let drawn = draw(&[bar(300, "12s"), bar(400, "3s"), bar(500, "1s")]);
        assert_eq!(drawn, "  #\n _|\n ||\n_||\n131\n2ss\ns  \n");
        assert_eq!(draw(&[bar(7, "1s")]), " \n \n \n_\n1\ns\n");
        assert_eq!(draw(&[]), "");
    }
}
