//! The functions of FHIRPath (N1, section 5) and those FHIR adds. One file a section.

mod boundary;
mod combining;
mod conversion;
mod dates;
mod existence;
mod fhir_functions;
mod filtering;
mod keys;
mod math;
mod strings;
mod subsetting;
mod tree;
mod utility;

pub(crate) use conversion::to_quantity;
pub(crate) use keys::reference_key;

use crate::ast::Expr;
use crate::error::Error;
use crate::evaluate::Scope;
use crate::types::TypeSpecifier;
use crate::value::Collection;

/// A call: what it is applied to, its arguments (unevaluated), and where it stands.
pub(crate) struct Call<'e, 'a> {
    pub(crate) input: Collection<'a>,
    pub(crate) arguments: &'e [Expr],
    pub(crate) specifier: Option<TypeSpecifier>,
}

macro_rules! functions {
    ($($variant:ident $name:literal $min:literal $max:literal $run:path;)*) => {
        /// A function an expression may call.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Function { $($variant),* }

        /// The names of all functions.
        pub(crate) fn names() -> impl Iterator<Item = &'static str> {
            [$($name),*].into_iter()
        }

        impl Function {
            pub(crate) fn from_name(name: &str) -> Option<Function> {
                match name {
                    // The functions of views that share a name with another come after it.
                    $(#[allow(unreachable_patterns)] $name => Some(Function::$variant),)*
                    _ => None,
                }
            }

            /// The least and the most arguments it takes.
            pub(crate) fn arity(self) -> (usize, usize) {
                match self { $(Function::$variant => ($min, $max)),* }
            }

            pub(crate) fn run<'a>(self, scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Result<Collection<'a>, Error> {
                match self { $(Function::$variant => $run(scope, call)),* }
            }
        }
    };
}

functions! {
    Empty "empty" 0 0 existence::empty;
    Exists "exists" 0 1 existence::exists;
    All "all" 1 1 existence::all;
    AllTrue "allTrue" 0 0 existence::all_true;
    AnyTrue "anyTrue" 0 0 existence::any_true;
    AllFalse "allFalse" 0 0 existence::all_false;
    AnyFalse "anyFalse" 0 0 existence::any_false;
    SubsetOf "subsetOf" 1 1 existence::subset_of;
    SupersetOf "supersetOf" 1 1 existence::superset_of;
    Count "count" 0 0 existence::count;
    Distinct "distinct" 0 0 existence::distinct;
    IsDistinct "isDistinct" 0 0 existence::is_distinct;
    Not "not" 0 0 existence::not;
    Where "where" 1 1 filtering::where_;
    Select "select" 1 1 filtering::select;
    Repeat "repeat" 1 1 filtering::repeat;
    OfType "ofType" 1 1 filtering::of_type;
    As "as" 1 1 filtering::of_type;
    Is "is" 1 1 filtering::is;
    Single "single" 0 0 subsetting::single;
    First "first" 0 0 subsetting::first;
    Last "last" 0 0 subsetting::last;
    Tail "tail" 0 0 subsetting::tail;
    Skip "skip" 1 1 subsetting::skip;
    Take "take" 1 1 subsetting::take;
    Intersect "intersect" 1 1 subsetting::intersect;
    Exclude "exclude" 1 1 subsetting::exclude;
    Union "union" 1 1 combining::union;
    Combine "combine" 1 1 combining::combine;
    Iif "iif" 2 3 conversion::iif;
    ToBoolean "toBoolean" 0 0 conversion::to_boolean;
    ConvertsToBoolean "convertsToBoolean" 0 0 conversion::converts_to_boolean;
    ToInteger "toInteger" 0 0 conversion::to_integer;
    ConvertsToInteger "convertsToInteger" 0 0 conversion::converts_to_integer;
    ToDecimal "toDecimal" 0 0 conversion::to_decimal;
    ConvertsToDecimal "convertsToDecimal" 0 0 conversion::converts_to_decimal;
    ToText "toString" 0 0 conversion::to_text;
    ConvertsToText "convertsToString" 0 0 conversion::converts_to_text;
    ToDate "toDate" 0 0 conversion::to_date;
    ConvertsToDate "convertsToDate" 0 0 conversion::converts_to_date;
    ToDateTime "toDateTime" 0 0 conversion::to_date_time;
    ConvertsToDateTime "convertsToDateTime" 0 0 conversion::converts_to_date_time;
    ToTime "toTime" 0 0 conversion::to_time;
    ConvertsToTime "convertsToTime" 0 0 conversion::converts_to_time;
    ToQuantity "toQuantity" 0 1 conversion::to_quantity_call;
    ConvertsToQuantity "convertsToQuantity" 0 1 conversion::converts_to_quantity;
    IndexOf "indexOf" 1 1 strings::index_of;
    LastIndexOf "lastIndexOf" 1 1 strings::last_index_of;
    Substring "substring" 1 2 strings::substring;
    StartsWith "startsWith" 1 1 strings::starts_with;
    EndsWith "endsWith" 1 1 strings::ends_with;
    Contains "contains" 1 1 strings::contains;
    Upper "upper" 0 0 strings::upper;
    Lower "lower" 0 0 strings::lower;
    Replace "replace" 2 2 strings::replace;
    Matches "matches" 1 1 strings::matches;
    MatchesFull "matchesFull" 1 1 strings::matches_full;
    ReplaceMatches "replaceMatches" 2 2 strings::replace_matches;
    Length "length" 0 0 strings::length;
    ToChars "toChars" 0 0 strings::to_chars;
    Split "split" 1 1 strings::split;
    Join "join" 0 1 strings::join;
    JoinAll "join" 0 1 strings::join_all;
    Trim "trim" 0 0 strings::trim;
    Abs "abs" 0 0 math::abs;
    Ceiling "ceiling" 0 0 math::ceiling;
    Exp "exp" 0 0 math::exp;
    Floor "floor" 0 0 math::floor;
    Ln "ln" 0 0 math::ln;
    Log "log" 1 1 math::log;
    Power "power" 1 1 math::power;
    Round "round" 0 1 math::round;
    Sqrt "sqrt" 0 0 math::sqrt;
    Truncate "truncate" 0 0 math::truncate;
    Children "children" 0 0 tree::children;
    Descendants "descendants" 0 0 tree::descendants;
    Trace "trace" 1 2 utility::trace;
    Now "now" 0 0 dates::now;
    Today "today" 0 0 dates::today;
    TimeOfDay "timeOfDay" 0 0 dates::time_of_day;
    Type "type" 0 0 utility::type_;
    Aggregate "aggregate" 1 2 utility::aggregate;
    Extension "extension" 1 1 fhir_functions::extension;
    HasExtension "hasExtension" 1 1 fhir_functions::has_extension;
    HasValue "hasValue" 0 0 fhir_functions::has_value;
    GetValue "getValue" 0 0 fhir_functions::get_value;
    Resolve "resolve" 0 0 fhir_functions::resolve;
    HtmlChecks "htmlChecks" 0 0 fhir_functions::html_checks;
    LowBoundary "lowBoundary" 0 1 boundary::low;
    HighBoundary "highBoundary" 0 1 boundary::high;
    GetResourceKey "getResourceKey" 0 0 keys::get_resource_key;
    GetReferenceKey "getReferenceKey" 0 1 keys::get_reference_key;
}

impl Function {
    /// Whether its argument is the name of a type.
    pub(crate) fn takes_type(self) -> bool {
        matches!(self, Function::OfType | Function::As | Function::Is | Function::GetReferenceKey)
    }
}
