# Operation
hub-state = State
hub-flow = Flow
hub-jobs = Long work
hub-users = Users
hub-clients = Apps and systems
hub-directory = Directory
hub-policies = Rules
hub-audit = Who did what

# The first page
hub-sign-in = Sign in
hub-what = What this hub is
hub-what-1 = This hub keeps the health records of a community: what hospitals, clinics and pharmacies know of a person, and what the person writes down, in one place.
hub-what-2 = A record belongs to the person. Who may see it follows from the person’s consent and from who cares for them, and every look is recorded and shown to the person.
hub-what-3 = Every version is kept: a record can be seen as it was known on any day.
hub-join = Take part
hub-join-person = Persons: ask one of the organisations named here. You are given a link to set a passkey or a password; with it you sign in, see your record and decide who else may.
hub-join-organisation = Organisations: ask whoever runs this hub for accounts, or to connect your system.
hub-join-open = This hub is open to everyone on this computer, for trying and developing: nobody signs in.
hub-connect = Connect a system
hub-connect-how = Systems speak HL7 FHIR R4. Apps sign people in with SMART App Launch; systems without users prove who they are with a key of their own (SMART Backend Services).
hub-fhir-base = FHIR base
hub-capabilities = What it can do
hub-organisations = Organisations that take part
hub-organisations-none = No organisation has been recorded yet.
hub-organisations-more = And others.

# State
hub-pause = Pause updating
hub-go-on = Go on updating
hub-uptime = Running for
hub-seconds = { $count ->
    [one] { $shown } second
   *[other] { $shown } seconds
 }
hub-minutes = { $count ->
    [one] { $shown } minute
   *[other] { $shown } minutes
 }
hub-hours = { $count ->
    [one] { $shown } hour
   *[other] { $shown } hours
 }
hub-days = { $count ->
    [one] { $shown } day
   *[other] { $shown } days
 }
hub-version = Version
hub-requests = Requests
hub-since-start = by FHIR, since the start
hub-refused = Refused
hub-refused-what = not found, not allowed, not valid (4xx)
hub-failed = Failed
hub-failed-what = faults of the hub (5xx)
hub-log = Place in the log
hub-size = Size of the data
hub-jobs-working = Jobs waiting and working
hub-memory = Memory
hub-ledger = Who looked is recorded
hub-ledger-on = Yes
hub-ledger-off = No
hub-rates = The last ten minutes
hub-requests-rate = FHIR requests
hub-commits-rate = Commits
hub-failed-rate = Failures
hub-per-second = per second
hub-highest = Highest
hub-latency = How long FHIR requests take
hub-latency-none = No request has come yet.
hub-method = Method
hub-taken = What is taken
hub-heavy = Heavy work at once
hub-bodies = Memory for bodies
hub-disk = Disk
hub-of = { $part } of { $whole }
hub-backup = Backup
hub-backup-how = A backup is made by command, while the hub runs, and kept elsewhere. The hub does not know when the last one was made; the command with --list shows it.
hub-metrics-how = For Prometheus, all figures are at

# Long work
hub-jobs-what = Imports, exports, deletions and erasures run one after another. What they made is kept for a day.
hub-jobs-none = Nothing runs, and nothing was finished in the last day.
hub-work-export = Export
hub-work-import = Import
hub-work-bulk-delete = Deletion of many
hub-work-erase = Erasure of a person
hub-job-waits = Waits
hub-job-works = Works
hub-job-done = Done
hub-job-failed = Failed
hub-job-stop = Stop
hub-job-remove = Remove
hub-job-stop-what = What it made is removed. What it has written to the record stays there.
hub-job-stopped = It was stopped and removed.
hub-job-made = What it made
hub-quarantine = What was refused
hub-quarantine-none = Nothing was refused.
hub-quarantine-others = What exactly was found may tell of a person; it is shown to whoever began this work.
hub-refused-count = { $count ->
    [one] { $shown } resource was refused and not stored.
   *[other] { $shown } resources were refused and not stored.
 }
hub-download = Download all findings
hub-finding = Finding
hub-place = Place
hub-found = What was found
hub-mend = Send one again
hub-mend-what = The resource, mended, as JSON
hub-mend-button = Store it
hub-stored = Stored as { $reference }.

# Users
hub-users-open = Nobody signs in to a hub that is open. When it is served without --open, users and apps are kept here, or by command:
hub-users-find = Find by name or login
hub-users-more = More were found than are shown. Type more of the name.
hub-user-disabled = may not sign in
hub-user-passkey = passkey
hub-user-code = second factor
hub-user-elsewhere = signs in elsewhere
hub-user-not-yet = has not signed in yet
hub-user-managed = The roles of this user come from an outside provider.
hub-user-self = You cannot disable yourself, nor take the role of operator from yourself. Somebody else has to.
hub-change = Change
hub-roles = Roles
hub-roles-button = Set roles
hub-link-button = New link to sign in
hub-link-what = Give this link to the user, over a way you trust. It works once, for one day, and is not shown again.
hub-enable = Let in again
hub-disable = Let in no more
hub-invite = Invite somebody
hub-invite-what = You are shown a link that works once. With it they set a passkey or a password of their own.
hub-invite-button = Invite
hub-login = Login
hub-name = Name
hub-own-resource = Their own resource (for a person, the Patient)
hub-organization = Works for
hub-role-person = Person
hub-role-proxy = Proxy
hub-role-clinician = Clinician
hub-role-pharmacist = Pharmacist
hub-role-registrar = Reception
hub-role-operator = Operator
hub-role-researcher = Researcher
hub-role-auditor = Auditor
hub-role-peer = Another hub
hub-role-system = System

# Apps and systems
hub-clients-what = An app asks a person for permission before it sees anything. A system without users sees what its scopes say.
hub-clients-none = Nothing is registered.
hub-clients-more = More are registered than are shown. All of them:
hub-client-dynamic = registered itself
hub-client-id = Its id (one is made if it is empty)
hub-client-kind = How it proves who it is
hub-client-public = It cannot: an app on a telephone or in a browser
hub-client-confidential = By a secret: an app on a server
hub-client-keyed = By a key of its own: a server or a system
hub-client-remove = Remove
hub-client-remove-what = What it was granted ends at once.
hub-register = Register one
hub-register-button = Register
hub-redirects = Where people are sent back to (one a line)
hub-scopes = The most it may be granted (scopes)
hub-keys = Its keys, as a JSON Web Key Set
hub-keys-uri = Or where it publishes them
hub-secret-what = This is its secret. It is not shown again.

# Who did what
hub-audit-person = Whose record (id of the Patient)
hub-audit-agent = Who
hub-audit-from = From
hub-audit-until = Until
hub-audit-action = What
hub-audit-none = Nothing was found.
hub-audit-off = This hub does not record who looks. It does when it is served with --audit on.
hub-audit-not-yours = By the rules of this hub, who looked at whom is shown to auditors. Somebody with the role of auditor can see it here.
hub-audit-refused = refused
hub-action-r = Read
hub-action-e = Search, operation, sign-in
hub-action-c = Create
hub-action-u = Change
hub-action-d = Delete
hub-all = All
hub-older = Older

# Directory
hub-directory-find = Find by name
hub-directory-none = There is nothing of this kind.
hub-directory-more = There are more. Search for a name to see them.
hub-map = Where the places are
hub-map-what = North is up. The numbers are those of the list below.
hub-type-organization = Organisations
hub-type-location = Places
hub-type-healthcareservice = What is offered
hub-type-practitioner = Practitioners
hub-type-practitionerrole = Who works where

# Flow
hub-then = as it was known then
hub-organisation = Organisation
hub-as-of = On the day
hub-show = Show
hub-few = fewer than 10
hub-costly = too many to count here
hub-visits = Visits
hub-visits-what = encounters of the day
hub-admissions = Admissions
hub-admissions-what = inpatient encounters that began on the day
hub-inpatients = Inpatients
hub-inpatients-what = inpatient encounters in progress
hub-waiting = Waiting
hub-waiting-what = arrived or triaged
hub-referrals-open = Open referrals
hub-referrals-open-what = ordered and not yet answered
hub-referrals-closed = Closed referrals
hub-referrals-closed-what = answered
hub-visits-by-day = Visits, 14 days
hub-as-table = As a table
hub-day = Day
hub-beds = Beds occupied
hub-beds-none = No inpatient is recorded at a place.
hub-coding = How much is coded
hub-coding-what = Entries with a code of a standard system (ICD-10, SNOMED CT, YJ, HOT, LOINC, JLAC10 …). Of one organisation: those written at an encounter there.
hub-what-kind = Kind
hub-coded = With a standard code
hub-share = Share
hub-coded-condition = Problems
hub-coded-medicationrequest = Prescriptions
hub-coded-observation = Results
hub-flow-source = These numbers are counted from the record as it was known at the end of that day; where people sign in, fewer than 10 are not told exactly.

# Rules
hub-policies-what = The rules say who may see and do what. They are read from a file when the hub is started and cannot be changed here.
hub-rules-now = The rules in force
hub-rule = Rule
hub-rule-may = May
hub-rule-types = Types
hub-rule-whose = Whose
hub-rule-where = Where
hub-rule-consent = with the person’s consent
hub-effect-permit = Permits
hub-effect-hide = Hides
hub-effect-forbid = Forbids
hub-whose-own = their own
hub-whose-proxied = of whom they act for
hub-whose-organisation = of those their organisation cares for
hub-whose-anyone = anyone’s
hub-whose-nobody = nobody’s
hub-preview = What other rules would change
hub-preview-what = Change the rules below, choose a role, and see how many resources it would see more or fewer of. Nothing is changed.
hub-preview-role = Role
hub-preview-rules = Rules (TOML)
hub-preview-button = Compare
hub-preview-same = Nothing would change for what was looked at.
hub-preview-looked = Looked at
hub-preview-before = Seen now
hub-preview-after = Seen then
hub-preview-cut = This was a sample: at most 500 of each type were looked at. The whole is compared by
hub-commands = Done by command
hub-commands-what = These are done on the hub’s machine; each says what it takes with --help.
hub-command-rules = Take other rules
hub-command-compare = Compare rules on the whole record
hub-command-backup = Make a backup
hub-command-restore = Restore one
hub-command-doctor = Examine the data
hub-command-reindex = Make the index anew
hub-command-import = Import files, definitions too

hub-indicators = Indicators
hub-indicators-what = Computed from the record itself, for a whole year. Whoever decided not to be counted is not.
hub-indicators-source = Figures that could tell of few people are left out, and so is what they would follow from.
hub-indicator = Indicator
hub-year = Year
hub-figure = Figure
hub-interval = 95 % interval
hub-numerator = Numerator
hub-denominator = Denominator
hub-masked = too few to be shown
hub-by-year = Year by year
hub-how = How it is computed
hub-method-version = Method version
hub-small = Counts from 1 are not shown below
hub-queries = Queries (SQL)
hub-views = Views (SQL on FHIR)
hub-set-rmi = Rational medicine
hub-set-self-care = Self-care cycle
hub-set-record = Reform of the record
hub-by-sex = Sex
hub-by-age = Age
hub-by-age-band = Age
hub-by-site = Institution
hub-by-month = Month
hub-stratum-none = not stated
hub-stratum-female = female
hub-stratum-male = male
hub-stratum-other = other
hub-stratum-unknown = unknown
hub-last-backup = Last backup
hub-last-backup-none = none known
hub-since-backup = { $count ->
    [one] { $shown } commit since
   *[other] { $shown } commits since
}
