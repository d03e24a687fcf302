# どのページにもあることば
skip = 本文へ
language = 言語
footer = Yojigen — 地域の健康記録。過去のどの時点の姿も、そのまま見ることができます。
back-home = はじめのページへ
back-to-now = 現在の記録に戻る
true-at = 時点:
date-missing = 日付なし
not-recorded = 記録なし
unnamed = 名称なし
yes = はい
no = いいえ

home-title = 健康記録を、時をこえて。
home-lead = この地域でいま知られていること、そして、あのとき知られていたこと。
holdings = 記録の総覧
empty-hub = まだ何も記録されていません
empty-hub-how = FHIRのファイルを取り込むと、ここに件数が現れます。
all-resources = すべてのリソース

group-people = 人
group-encounters = 受診
group-problems = 病名・アレルギー
group-results = 検査結果
group-medicines = 薬
group-immunizations = 予防接種
group-procedures = 処置・手術
group-plans = ケア計画
group-documents = 文書
group-providers = 医療機関・医療者
group-billing = 保険・請求
group-others = その他

nothing-here = ページが見つかりません
nothing-here-why = このアドレスには何もありません。
no-such-person = この人の記録はありません
no-such-person-why = アドレスをお確かめになるか、お名前か生年月日で探してください。
person-deleted = この人の記録は削除されました
person-deleted-why = 過去の日付を指定すると、削除される前の記録を見られます。
not-known-then = その時点では、まだ記録がありません
not-known-then-why = この人の記録は、指定された日より後に始まりました。
bad-date = 日付を読み取れません
bad-date-why = 2022-03-31 や 令和4年3月31日 のように入力してください。
too-costly = 対象が多すぎます
too-costly-why = お名前をもう少し長く入力するか、生年月日を加えてください。
not-understood = この検索は読み取れません
not-understood-why = 検索をはじめからやり直してください。
record-failed = 記録を読み出せませんでした
record-failed-why = しばらくしてから、もう一度お試しください。

areas = ページの区分
area-me = わたしの記録
area-clinic = 診療
area-hub = 運営
letters-large = 大きな文字
letters-normal = 標準の文字
open-hub = このハブは、このコンピューターの中だけに開かれています（試用・開発のため）。だれでもすべての記録を見て、書けます。
saved = 保存しました
form-cut = 送られた内容が大きすぎるか、読み取れませんでした。何も保存していません。分けてもう一度お送りください。

again-title = サインインが切れていました。入力は失われていません
again-lead = 送信の前にサインインの期限が切れました。新しい画面でサインインしてからこの画面に戻り、もう一度送ってください。
again-sign-in = 1. サインインする（新しい画面）
again-send = 2. 書いたものを送る
again-written = 書いたもの
again-files = ファイルはここに残せません。サインインしてから選び直してください。
again-cut = 一部は大きすぎてここに残せませんでした。
