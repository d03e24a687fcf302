# Finding people
search-label = Find a person
search-button = Search
search-hint = A name in kanji, kana or letters, or a birth date (1975-04-02, 昭和50年4月2日, S50.4.2)
people-title = Find a person
people-found = { $count ->
    [one] { $shown } person
   *[other] { $shown } people
}
people-found-more = { $count ->
    [one] At least { $shown } person
   *[other] At least { $shown } people
}
none-found = Nobody found
none-found-beginning = The beginning of a family or given name is enough.
none-found-other = Try another way of writing it: kanji, kana or letters.
none-found-date = Birth dates may be written with Western years or eras.
pages = Pages of results
first-page = First page
next-page = Next page
deceased = Deceased
name-missing = Name not recorded
sex-male = Male
sex-female = Female
sex-other = Other
sex-unknown = Unknown
age-years = { $count }
age-months = { $count ->
    [one] { $count } month
   *[other] { $count } months
}
age-about = about { $count }
