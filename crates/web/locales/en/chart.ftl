# A chart
chart = Chart
age = Age
age-at-death = Age at death
sex = Sex
born = Born
died = Died
address = Address
as-of = As of
as-of-now = Now
as-of-date = Date
as-of-show = Show this day
as-of-banner = — the record as it was known then. What was recorded or corrected later is left out.
years-ago = { $count ->
    [one] { $count } year ago
   *[other] { $count } years ago
}
since-day = since { $date }
date = Date
kind = Kind
what = What
value = Value
status = Status
medicine = Medicine
as-table = As a table
source = As FHIR
cut = there is more than is shown here; the newest come first

problems = Problems
problems-none = No current problems are recorded.
past-problems = Past problems ({ $shown })
problem-inactive = inactive
problem-remission = in remission
problem-recurrence = recurrence
problem-relapse = relapse
allergies = Allergies
allergies-none = No allergies are recorded.
criticality-high = Can be severe
criticality-low = Low risk
criticality-unable-to-assess = Risk unclear

encounters = Encounters
encounters-none = No encounters are recorded.
list-of-encounters = All encounters ({ $shown })
times = { $count ->
    [one] { $shown } time
   *[other] { $shown } times
}
lane-admission = Admissions
lane-emergency = Emergency
lane-visit = Visits
lane-elsewhere = Home and remote

medicines = Medicines
medicines-none = No medicines are recorded.
earlier-medicines = As a table (with { $shown } earlier ones)
medicine-active = Taking
medicine-on-hold = On hold
medicine-completed = Ended
medicine-stopped = Stopped
medicine-unknown = Unknown

immunizations = Immunisations
immunizations-none = No immunisations are recorded.
reports = Checkups and reports
reports-none = No checkups or reports are recorded.
results-in-report = { $count ->
    [one] { $shown } result
   *[other] { $shown } results
}
