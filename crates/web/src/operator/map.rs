//! Where places are, as a drawing: no tiles, nothing from elsewhere. North is up; a degree of longitude is as wide as it
//! is in the middle of the drawing.

/// The drawing's size.
pub(super) const WIDTH: f64 = 600.0;
pub(super) const HEIGHT: f64 = 400.0;
const MARGIN: f64 = 30.0;
/// Kilometres of a degree of latitude.
const KILOMETRES: f64 = 111.2;
/// Places nearer to each other than so many kilometres are drawn as if they were so far from each other.
const NEAREST: f64 = 0.2;

/// A place on earth, in degrees (WGS 84).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Position {
    pub(super) latitude: f64,
    pub(super) longitude: f64,
}

impl Position {
    /// A position there can be.
    pub(super) fn of(latitude: f64, longitude: f64) -> Option<Position> {
        let is_there = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        is_there.then_some(Position { latitude, longitude })
    }
}

/// A drawing of places.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Map {
    /// Where each place is drawn, in the order they came.
    pub(super) points: Vec<(f64, f64)>,
    /// How long the scale bar is.
    pub(super) bar: f64,
    /// What its length stands for.
    pub(super) bar_name: String,
}

/// Draws places; none if there are none.
pub(super) fn draw(positions: &[Position]) -> Option<Map> {
    let first = positions.first()?;
    let (mut south, mut north) = (first.latitude, first.latitude);
    let (mut west, mut east) = (first.longitude, first.longitude);
    for position in positions {
        (south, north) = (south.min(position.latitude), north.max(position.latitude));
        (west, east) = (west.min(position.longitude), east.max(position.longitude));
    }
    let (middle, centre) = ((south + north) / 2.0, (west + east) / 2.0);
    let narrowing = middle.to_radians().cos().max(0.01);
    let wide = ((east - west) * narrowing * KILOMETRES).max(NEAREST);
    let high = ((north - south) * KILOMETRES).max(NEAREST);
    let per_kilometre = ((WIDTH - 2.0 * MARGIN) / wide).min((HEIGHT - 2.0 * MARGIN) / high);
    let point = |position: &Position| {
        let right = (position.longitude - centre) * narrowing * KILOMETRES * per_kilometre;
        let up = (position.latitude - middle) * KILOMETRES * per_kilometre;
        (rounded(WIDTH / 2.0 + right), rounded(HEIGHT / 2.0 - up))
    };
    let length = bar_length(WIDTH / 4.0 / per_kilometre);
    let bar_name = if length < 1.0 { format!("{:.0} m", length * 1000.0) } else { format!("{length:.0} km") };
    Some(Map {
        points: positions.iter().map(point).collect(),
        bar: rounded(length * per_kilometre),
        bar_name,
    })
}

fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// The longest of 1, 2, 5, 10, … kilometres that is not longer than `most`.
fn bar_length(most: f64) -> f64 {
    let power = 10f64.powf(most.log10().floor());
    let factor = [5.0, 2.0].into_iter().find(|factor| factor * power <= most).unwrap_or(1.0);
    factor * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn north_is_up_and_east_is_right_and_all_are_on_it() {
        let at = |latitude, longitude| Position::of(latitude, longitude).unwrap();
        let map = draw(&[at(35.0, 139.0), at(35.1, 139.2), at(35.05, 139.1)]).unwrap();
        let [(x1, y1), (x2, y2), (x3, y3)] = map.points[..] else { panic!("three points") };
        assert!(x1 < x3 && x3 < x2 && y2 < y3 && y3 < y1);
        assert!(map.points.iter().all(|(x, y)| (0.0..=WIDTH).contains(x) && (0.0..=HEIGHT).contains(y)));
        assert_eq!(map.bar_name, "5 km");
        // 0.2 degrees of longitude there are 18.2 km; the bar is of the same measure.
        let kilometres = (x2 - x1) / (map.bar / 5.0);
        assert!((kilometres - 18.2).abs() < 0.2, "{kilometres}");
    }

    #[test]
    fn one_place_is_in_the_middle() {
        let map = draw(&[Position::of(35.0, 139.0).unwrap()]).unwrap();
        assert_eq!(map.points, [(WIDTH / 2.0, HEIGHT / 2.0)]);
        assert!(draw(&[]).is_none() && Position::of(91.0, 0.0).is_none());
        assert!(Position::of(f64::NAN, 0.0).is_none());
    }

    #[test]
    fn bars_are_of_round_lengths() {
        assert_eq!([9.0, 4.9, 1.5, 0.3].map(bar_length), [5.0, 2.0, 1.0, 0.2]);
    }
}
