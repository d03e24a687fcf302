# What is published
figures = Published figures
figures-what = Indicators computed from this hub’s record. They are published at fixed releases, which do not change afterwards.
figures-link = Published figures
figures-none = Nothing has been published yet.
figures-none-stands = Every release has been withdrawn.
figures-period = Days looked at
figures-moment = As the record was on
figures-published = Published
figures-code = Program version
figures-json = FHIR Bundle (JSON)
figures-csv = Table (CSV)
figures-again = Whoever holds the record computes it again with
figures-withdrawn = Withdrawn:
figures-releases = All releases
figures-earlier = Its last figures
figures-part-near = left out; with an earlier release it would tell of few people
figures-why-few = Left out: too few people, or it could not be shown that nobody is told of.
figures-why-near = Left out: too near to an earlier release; the difference would tell of few people. The earlier figures stand.
figures-source = Counts below the limit of an indicator are left out, and so is what they would follow from, within a release and between releases. Whoever decided not to be counted is not.

# Publishing
hub-publish = Publish figures
hub-publish-link = Publish figures, and releases
hub-publish-what = Whoever visits this hub can read a release. It never changes; it can only be withdrawn. What it would tell together with earlier releases is left out.
hub-publish-from = First day
hub-publish-to = Last day
hub-publish-see = See what would be published
hub-publish-would = This would be published
hub-publish-not = Left out
hub-publish-title = Title
hub-publish-now = Publish
hub-publish-nothing = Nothing of it can be published.
hub-publish-nothing-left-out = Nothing is left out.
hub-publish-done = Release { $number } is published.
hub-withdraw = Withdraw
hub-withdraw-reason = Reason (everyone can read it)
hub-withdrawn-done = Release { $number } is withdrawn. It stays listed with the reason.
