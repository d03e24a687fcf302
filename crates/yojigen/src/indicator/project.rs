//! `yojigen indicator project`

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use indicators::projection::select::{self, Wanted};
use indicators::projection::{Outcome, Projection, project};
use indicators::public::Source;
use indicators::public::units::{self, Kind, Rule};
use indicators::sdg::targets::Target;
use serde_json::{Value, json};

use super::figures;
use crate::cli::{IndicatorProjectArguments, KindArgument, TableFormatArgument};

/// A file of a series is not larger.
const MOST_BYTES: u64 = 16 << 20;

/// What is projected, and how its values are told.
struct Series {
    title: String,
    unit: String,
    vintage: Option<String>,
    dimensions: BTreeMap<String, String>,
    points: Vec<(i32, f64)>,
    rule: Option<&'static Rule>,
}

/// Tries the methods on the past, forecasts, and says what the target takes.
pub(crate) fn run(arguments: &IndicatorProjectArguments) -> Result<ExitCode> {
    let series = match &arguments.file {
        Some(file) => of_file(file)?,
        None => of_figures(arguments)?,
    };
    let kind = match arguments.kind {
        Some(KindArgument::Percent) => Kind::Percent,
        Some(KindArgument::Fraction) => Kind::Fraction,
        Some(KindArgument::Rate) => Kind::Rate,
        Some(KindArgument::Quantity) => Kind::Quantity,
        None => series.rule.map_or(Kind::Quantity, |rule| rule.kind),
    };
    let target = match &arguments.target {
        Some(text) => Some(own_target(text, &series.points)?),
        None => series.rule.and_then(|rule| rule.sdg.as_deref()).and_then(Target::of).cloned(),
    };
    let ahead = usize::try_from(arguments.years)?;
    let projection = project(&series.points, kind, ahead, target.as_ref());
    match arguments.format {
        TableFormatArgument::Json => {
            say!("{}", serde_json::to_string_pretty(&as_json(&series, &projection)?)?)
        }
        TableFormatArgument::Csv => csv(&projection),
        TableFormatArgument::Table => table(&series, &projection),
    }
    let is_forecast = matches!(projection.result, Outcome::Forecast { .. });
    Ok(if is_forecast { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn of_file(path: &Path) -> Result<Series> {
    let name = || path.display().to_string();
    if std::fs::metadata(path).with_context(name)?.len() > MOST_BYTES {
        bail!("{} is larger than {MOST_BYTES} bytes; a series has two columns", path.display());
    }
    let text = std::fs::read_to_string(path).with_context(name)?;
    let points = select::points(&text).map_err(|why| anyhow!("{}, {why}", path.display()))?;
    Ok(Series {
        title: name(),
        unit: String::new(),
        vintage: None,
        dimensions: BTreeMap::new(),
        points,
        rule: None,
    })
}

fn of_figures(arguments: &IndicatorProjectArguments) -> Result<Series> {
    let (Some(code), Some(place)) = (&arguments.code, &arguments.place) else {
        bail!("name a FILE, or --code and --place");
    };
    let source = Source::from(arguments.source);
    let mut dimensions = BTreeMap::new();
    for text in &arguments.dimensions {
        let (name, value) =
            text.split_once('=').ok_or_else(|| anyhow!("--dimension '{text}': write NAME=VALUE"))?;
        dimensions.insert(name.to_owned(), value.to_owned());
    }
    let figures = figures::read(&arguments.figures, source, code)?;
    let wanted = Wanted { place: place.clone(), dimensions, vintage: arguments.vintage.clone() };
    let selected = select::series(&figures, &wanted)?;
    let rule = units::rule(source, code);
    let title = rule.map_or_else(|| code.clone(), |rule| format!("{} ({code})", rule.en));
    Ok(Series {
        title: format!("{title}, {place}"),
        unit: selected.unit,
        vintage: Some(selected.vintage),
        dimensions: selected.dimensions,
        points: selected.points,
        rule,
    })
}

fn own_target(text: &str, points: &[(i32, f64)]) -> Result<Target> {
    let parsed = text.split_once('@').and_then(|(level, year)| {
        let level: f64 = level.trim().parse().ok()?;
        let year: i32 = year.trim().parse().ok()?;
        (level.is_finite() && (1..=9999).contains(&year)).then_some((level, year))
    });
    let (level, year) =
        parsed.ok_or_else(|| anyhow!("--target '{text}': write LEVEL@YEAR, as in 70@2030"))?;
    let last = points.iter().max_by_key(|(year, _)| *year).map_or(level, |(_, value)| *value);
    Ok(Target::own(level, year, last))
}

fn as_json(series: &Series, projection: &Projection) -> Result<Value> {
    let mut whole = json!({
        "title": series.title,
        "unit": series.unit,
        "vintage": series.vintage,
        "dimensions": series.dimensions,
    });
    let told = serde_json::to_value(projection)?;
    if let (Value::Object(whole), Value::Object(told)) = (&mut whole, told) {
        whole.extend(told);
    }
    Ok(whole)
}

fn csv(projection: &Projection) {
    say!("year,value,middle,low80,high80,low95,high95");
    for (year, value) in &projection.history {
        say!("{year},{value},,,,,");
    }
    if let Outcome::Forecast { ahead, .. } = &projection.result {
        for a in ahead {
            let (eighty, ninety_five) = (a.within_80, a.within_95);
            say!(
                "{},,{},{},{},{},{}",
                a.year,
                a.middle,
                eighty.low,
                eighty.high,
                ninety_five.low,
                ninety_five.high
            );
        }
    }
}

fn table(series: &Series, projection: &Projection) {
    say!("{}", series.title);
    if !series.unit.is_empty() {
        say!("unit: {}", series.unit);
    }
    if let Some(vintage) = &series.vintage {
        let of: Vec<String> =
            series.dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
        say!("release: {vintage}  {}", of.join(" "));
    }
    if let (Some(first), Some(last)) = (projection.history.first(), projection.history.last()) {
        let count = projection.history.len();
        say!("{count} values, {} ({}) to {} ({})", first.0, first.1, last.0, last.1);
    }
    for note in &projection.notes {
        say!("note: {note}");
    }
    if let Some(backtest) = &projection.backtest {
        let forecasts = backtest.tried.first().map_or(0, |t| t.forecasts);
        say!();
        say!(
            "on the past: {} origins, up to {} steps ahead, {forecasts} values",
            backtest.origins.len(),
            backtest.horizon
        );
        say!("{:<8} {:>10} {:>8} {:>8} {:>8}", "method", "MAE", "MASE", "in 80 %", "in 95 %");
        for t in &backtest.tried {
            let share = |v: f64| format!("{:.0} %", v * 100.0);
            say!(
                "{:<8} {:>10.4} {:>8.3} {:>8} {:>8}",
                t.method.to_string(),
                t.mae,
                t.mase,
                share(t.covered_80),
                share(t.covered_95)
            );
        }
    }
    say!();
    say!("{}", projection.result);
    if let Outcome::Forecast { ahead, .. } = &projection.result {
        say!("{:<5} {:>10}   {:^23}   {:^23}", "year", "middle", "80 %", "95 %");
        for a in ahead {
            let (eighty, ninety_five) = (a.within_80, a.within_95);
            say!(
                "{:<5} {:>10.3}   {:>10.3} – {:<10.3}   {:>10.3} – {:<10.3}",
                a.year,
                a.middle,
                eighty.low,
                eighty.high,
                ninety_five.low,
                ninety_five.high
            );
        }
    }
    if let Some(scenario) = &projection.scenario {
        say!();
        say!("target: {} ({})", scenario.target, scenario.source);
        let (year, value) = scenario.from;
        if scenario.is_met {
            say!("met: {value} in {year}, the target is {:.4}", scenario.level);
        } else if let Some(linear) = scenario.linear {
            let compound =
                scenario.compound.map(|c| format!(", or {:+.2} % each year", c * 100.0)).unwrap_or_default();
            say!(
                "from {value} in {year} to {:.4} in {}: {linear:+.4} a year{compound}",
                scenario.level,
                scenario.year
            );
        } else {
            say!("not met: {value} in {year}, the target was {:.4} in {}", scenario.level, scenario.year);
        }
        if let Some(so_far) = scenario.so_far {
            say!("so far it was {so_far:+.4} a year");
        }
    }
}
