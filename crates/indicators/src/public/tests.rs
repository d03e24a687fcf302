use super::*;
use std::io::Write as _;

fn gho(text: &str) -> Result<Reading, Error> {
    read(Source::WhoGho, "UHC_INDEX_REPORTED", "2019", text.as_bytes(), &Limits::default())
}

const HEADER: &str =
    "GHO,PUBLISHSTATE,YEAR,REGION,WORLDBANKINCOMEGROUP,COUNTRY,Display Value,Numeric,Low,High,Comments\n";

#[test]
fn fractions_of_regions_and_percentages_of_countries_are_one_unit() {
    let reading = gho(&format!(
        "{HEADER}UHC_INDEX_REPORTED,PUBLISHED,2015,AFR,,,44,0.44412,,,\n\
         UHC_INDEX_REPORTED,PUBLISHED,2015,GLOBAL,WB_WORLD_INCOME,,64,0.63835,,,\n\
         UHC_INDEX_REPORTED,PUBLISHED,2015,WPR,,JPN,80,80.00000,,,\n\
         UHC_INDEX_REPORTED,PUBLISHED,2015,WPR,,XKX,No data,,,,\n"
    ))
    .unwrap();
    let values: Vec<_> = reading.figures.iter().map(|f| (f.place.kind, f.value, f.line)).collect();
    assert_eq!(values[0], (PlaceKind::Group, 44.412, 2));
    assert_eq!(values[1].0, PlaceKind::World);
    assert_eq!(values[2], (PlaceKind::Country, 80.0, 4));
    assert_eq!(reading.without_value, 1);
}

#[test]
fn columns_are_found_by_their_names() {
    let reading =
        gho("COUNTRY,Numeric,GHO,SEX,YEAR,High\nJPN,80,UHC_INDEX_REPORTED,BTSX,2013-2017,82\n").unwrap();
    let figure = &reading.figures[0];
    assert_eq!((figure.value, figure.high, figure.low), (80.0, Some(82.0), None));
    assert_eq!(figure.dimensions["SEX"], "BTSX");
    assert_eq!(figure.years, Years { first: 2013, last: 2017 });
}

#[test]
fn a_publishers_change_of_unit_is_noticed() {
    let why = gho(&format!("{HEADER}UHC_INDEX_REPORTED,PUBLISHED,2015,WPR,,JPN,80,0.8,,,\n")).unwrap_err();
    assert!(why.to_string().starts_with("line 2: UHC_INDEX_REPORTED is 0.8"), "{why}");
}

#[test]
fn what_is_no_data_is_said_with_its_place() {
    let says = |text: &str, expected: &str| {
        let why = gho(text).unwrap_err().to_string();
        assert!(why.contains(expected), "{why}");
    };
    says("", "empty");
    says("  \n", "empty");
    says("<!DOCTYPE html><html><body>502 Bad Gateway</body></html>", "HTML or XML");
    says("<?xml version=\"1.0\"?><Error>no such thing</Error>", "HTML or XML");
    says("Sorry, the service is not available.\n", "columns GHO, YEAR, Numeric are missing");
    says("GHO,YEAR\nX,2015\n", "Numeric");
    says(
        &format!("{HEADER}WHOSIS_000001,PUBLISHED,2015,,,JPN,80,80,,,\n"),
        "line 2: the row is of 'WHOSIS_000001'",
    );
    says(&format!("{HEADER}UHC_INDEX_REPORTED,P,2015,,,JPN,80,eighty,,,\n"), "line 2: 'eighty' is no number");
    says(&format!("{HEADER}UHC_INDEX_REPORTED,P,2015,,,JPN,80,NaN,,,\n"), "no number");
    says(&format!("{HEADER}UHC_INDEX_REPORTED,P,15,,,JPN,80,80,,,\n"), "YEAR '15'");
    says(&format!("{HEADER}UHC_INDEX_REPORTED,P,2015,,,,80,80,,,\n"), "names no place");
    says(&format!("{HEADER}UHC_INDEX_REPORTED,P,2015\n"), "line 2");
    let large = "x".repeat(10 << 20);
    says(&format!("{HEADER}UHC_INDEX_REPORTED,P,2015,,,JPN,80,80,,,{large}\n"), "a cell of 10485760 bytes");
    let bytes = read(Source::WhoGho, "X", "1", &[b'a', 0xff], &Limits::default()).unwrap_err();
    assert_eq!(bytes, Error::NotUtf8 { at: 1 });
}

#[test]
fn a_compressed_file_that_ends_early_or_swells_is_refused() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(HEADER.as_bytes()).unwrap();
    packed.write_all(&vec![b'x'; 1 << 20]).unwrap();
    let packed = packed.finish().unwrap();
    let limits = Limits { bytes: 1 << 16, ..Limits::default() };
    let read = |bytes: &[u8]| read(Source::WhoGho, "X", "1", bytes, &limits).unwrap_err();
    assert_eq!(read(&packed), Error::TooLarge { most: 1 << 16 });
    assert!(matches!(read(&packed[..40]), Error::Compressed(_)));
    assert_eq!(read(&vec![b' '; 1 << 17]), Error::TooLarge { most: 1 << 16 });
}

#[test]
fn answers_of_the_observatory_go_on() {
    let reading = read(
        Source::WhoGho,
        "WHOSIS_000001",
        "2026",
        br#"{"@odata.context":"x","value":[
            {"Id":1,"IndicatorCode":"WHOSIS_000001","SpatialDimType":"COUNTRY","SpatialDim":"JPN","TimeDimType":"YEAR","TimeDim":2019,
             "Dim1Type":"SEX","Dim1":"SEX_BTSX","Value":"84.3 [84.2-84.3]","NumericValue":84.26,"Low":84.2,"High":84.3,"Comments":null},
            {"Id":2,"IndicatorCode":"WHOSIS_000001","SpatialDimType":"REGION","SpatialDim":"WPR","TimeDim":2019,"Value":"No data","NumericValue":null}],
            "@odata.nextLink":"https://example.org/api/WHOSIS_000001?$skip=1000"}"#,
        &Limits::default(),
    )
    .unwrap();
    assert_eq!(reading.figures.len(), 1);
    assert_eq!(reading.without_value, 1);
    assert_eq!(reading.figures[0].dimensions["SEX"], "BTSX");
    assert_eq!(reading.figures[0].low, Some(84.2));
    assert_eq!(reading.next, Some(Next::Link("https://example.org/api/WHOSIS_000001?$skip=1000".to_owned())));
    let says = |text: &str, expected: &str| {
        let why =
            read(Source::WhoGho, "X", "1", text.as_bytes(), &Limits::default()).unwrap_err().to_string();
        assert!(why.contains(expected), "{why}");
    };
    says(r#"{"error":{"code":"404","message":"Resource not found"}}"#, "Resource not found");
    says(r#"{"other":1}"#, "no 'value'");
    says(r#"{"value":[{"IndicatorCode":"X","SpatialDim":"JPN","TimeDim":2019,"#, "line 1, column");
}

#[test]
fn answers_of_the_world_bank_have_pages() {
    let page = |body: &str| {
        read(Source::WorldBank, "SH.UHC.SRVS.CV.XD", "2024", body.as_bytes(), &Limits::default())
    };
    let reading = page(
        r#"[{"page":1,"pages":2,"per_page":"2","total":3,"lastupdated":"2024-06-28"},[
        {"indicator":{"id":"SH.UHC.SRVS.CV.XD","value":"UHC"},"country":{"id":"JP","value":"Japan"},"countryiso3code":"JPN","date":"2015","value":83,"unit":"","obs_status":"","decimal":0},
        {"indicator":{"id":"SH.UHC.SRVS.CV.XD","value":"UHC"},"country":{"id":"1W","value":"World"},"countryiso3code":"WLD","date":"2015","value":null,"unit":"","obs_status":"","decimal":0}]]"#,
    )
    .unwrap();
    assert_eq!(reading.next, Some(Next::Page(2, 2)));
    assert_eq!((reading.figures[0].value, reading.figures[0].place.code.as_str()), (83.0, "JPN"));
    assert_eq!(reading.without_value, 1);
    let why = page(
        r#"[{"message":[{"id":"120","key":"Invalid value","value":"The provided parameter value is not valid"}]}]"#,
    );
    assert!(why.unwrap_err().to_string().contains("parameter value is not valid"));
    assert!(page("[1]").is_err());
    assert_eq!(page(r#"[{"page":1,"pages":1},null]"#).unwrap(), Reading::default());
}

#[test]
fn files_of_the_world_bank_are_long_or_wide() {
    let of = |text: &str| {
        read(Source::WorldBank, "SH.UHC.SRVS.CV.XD", "2023", text.as_bytes(), &Limits::default())
    };
    let long = of("geo,time,sh_uhc_srvs_cv_xd\njpn,2015,83\njpn,2017,84\nwld,2015,65\n").unwrap();
    let wide = of("\"Data Source\",\"World Development Indicators\",\n\"Last Updated Date\",\"2024-06-28\",\n\n\
         \"Country Name\",\"Country Code\",\"Indicator Name\",\"Indicator Code\",\"2014\",\"2015\",\"2017\",\n\
         \"Japan\",\"JPN\",\"UHC\",\"SH.UHC.SRVS.CV.XD\",\"\",\"83\",\"84\",\n")
    .unwrap();
    let of_japan = |reading: &Reading| -> Vec<(i32, f64)> {
        let figures = reading.figures.iter().filter(|f| f.place.code == "JPN");
        figures.map(|f| (f.years.first, f.value)).collect()
    };
    assert_eq!(of_japan(&long), [(2015, 83.0), (2017, 84.0)]);
    assert_eq!(of_japan(&wide), of_japan(&long));
    assert_eq!(long.figures[2].place.kind, PlaceKind::World);
    assert!(of("a,b,c\n1,2,3\n").unwrap_err().to_string().contains("geo, time"));
    assert!(of("geo,time,sh_sta_mmrt\njpn,2015,5\n").unwrap_err().to_string().contains("sh_sta_mmrt"));
}

#[test]
fn releases_stay_side_by_side() {
    let folder = std::env::temp_dir().join(format!("indicators-cache-{}", std::process::id()));
    let cache = Cache::of(&folder);
    assert_eq!(cache.list().unwrap(), []);
    let code = "UHC_INDEX_REPORTED";
    let file =
        |value: u32| format!("{HEADER}{code},PUBLISHED,2015,WPR,,JPN,{value},{value},,,\n").into_bytes();
    for (vintage, value) in [("2019", 80), ("2023", 83)] {
        cache.keep(Source::WhoGho, code, vintage, "csv", &[file(value)]).unwrap();
    }
    cache.keep(Source::WhoGho, code, "2019", "csv", &[file(80)]).unwrap();
    let why = cache.keep(Source::WhoGho, code, "2019", "csv", &[file(81)]).unwrap_err();
    assert!(why.to_string().contains("--vintage"), "{why}");
    cache.keep(Source::WhoGho, code, "2024", "csv", &[file(84), file(84)]).unwrap();
    let figures = cache.figures(Source::WhoGho, code, &Limits::default()).unwrap();
    let both = revisions(&figures, &figures[0]);
    let values: Vec<_> = both.iter().map(|f| (f.vintage.as_str(), f.value)).collect();
    assert_eq!(values, [("2019", 80.0), ("2023", 83.0), ("2024", 84.0), ("2024", 84.0)]);
    let list = cache.list().unwrap();
    assert_eq!(list.len(), 3);
    assert_eq!(list[2].files.len(), 2);
    for (code, vintage, form) in
        [("../x", "1", "csv"), ("X", "a/b", "csv"), ("X", "1", "exe"), ("X", "1.p2", "csv")]
    {
        assert!(
            cache.keep(Source::WhoGho, code, vintage, form, &[vec![1]]).is_err(),
            "{code} {vintage} {form}"
        );
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn every_file_of_the_observatory_reads_and_keeps_every_row() {
    let Some(shared) = shared::folder("files of the WHO") else { return };
    let mut count = 0;
    for entry in std::fs::read_dir(shared.join("data/who-gho")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(code) = name.strip_suffix(".csv.gz") else { continue };
        let bytes = std::fs::read(&path).unwrap();
        let reading = read(Source::WhoGho, code, "2020-10", &bytes, &Limits::default()).unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut text).unwrap();
        let rows = csv::Reader::from_reader(text.as_bytes()).records().count();
        assert_eq!(reading.figures.len() + reading.without_value as usize, rows, "{code}");
        assert!(units::rule(Source::WhoGho, code).is_some(), "{code}");
        // A kind that a figure contradicts would bend a projection.
        let kind = units::rule(Source::WhoGho, code).unwrap().kind;
        for figure in &reading.figures {
            let fits = match kind {
                // Published so: 100.00001 % in one file.
                units::Kind::Percent => (0.0..=100.0001).contains(&figure.value),
                units::Kind::Fraction => (0.0..=1.0).contains(&figure.value),
                units::Kind::Rate => figure.value >= 0.0,
                units::Kind::Quantity => true,
            };
            assert!(fits, "{code}, line {}: {}", figure.line, figure.value);
        }
        count += 1;
    }
    assert!(count >= 18, "{count} files");
}
