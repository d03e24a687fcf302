# What every page says
skip = Skip to content
language = Language
footer = Yojigen — a community’s health record, as it is and as it was known at any moment.
back-home = To the first page
back-to-now = Back to the record as it is now
true-at = As at
date-missing = Undated
not-recorded = Not recorded
unnamed = Unnamed
yes = Yes
no = No

home-title = Health records, across time.
home-lead = What is known in this community now, and what was known then.
holdings = What the hub holds
empty-hub = Nothing has been recorded yet
empty-hub-how = Import FHIR files and their counts appear here.
all-resources = All resources

group-people = People
group-encounters = Encounters
group-problems = Problems and allergies
group-results = Results
group-medicines = Medicines
group-immunizations = Immunisations
group-procedures = Procedures
group-plans = Care plans
group-documents = Documents
group-providers = Providers
group-billing = Insurance and claims
group-others = Others

nothing-here = Page not found
nothing-here-why = There is nothing at this address.
no-such-person = There is no record of this person
no-such-person-why = Check the address, or search by name or birth date.
person-deleted = This person’s record was deleted
person-deleted-why = Ask for an earlier date to see the record as it was before.
not-known-then = Nothing was known yet
not-known-then-why = This person’s record begins after the day you asked for.
bad-date = This date does not read
bad-date-why = Write it as 2022-03-31 or 令和4年3月31日.
too-costly = Too many to look through
too-costly-why = Type more of the name, or add a birth date.
not-understood = This search does not read
not-understood-why = Please begin the search anew.
record-failed = The record could not be read
record-failed-why = Please try again in a moment.

areas = Parts of this hub
area-me = My record
area-clinic = Care
area-hub = Operation
letters-large = Large letters
letters-normal = Normal letters
open-hub = This hub is open to everyone on this computer, and only there, for trying and developing: anyone can see and write every record.
saved = Saved
form-cut = What was sent is too large or does not read. Nothing was saved; please send it again in parts.

again-title = You are signed out, and nothing is lost
again-lead = The session ended before this was sent. Sign in again in a new window, come back here, and send it.
again-sign-in = 1. Sign in (new window)
again-send = 2. Send what I wrote
again-written = What you wrote
again-files = Files cannot be kept here: choose them again after signing in.
again-cut = Some of it was too large to be kept here.
