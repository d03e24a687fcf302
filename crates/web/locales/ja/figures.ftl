# 公表した数値
figures = 公表している数値
figures-what = このハブの記録から計算した指標です。決まった時点でまとめて公表し、公表したあとは変えません。
figures-link = 公表している数値
figures-none = まだ何も公表していません。
figures-none-stands = 公表したものは、すべて取り下げられています。
figures-period = 対象の期間
figures-moment = 記録の時点
figures-published = 公表日時
figures-code = プログラムの版
figures-json = FHIR Bundle（JSON）
figures-csv = 表（CSV）
figures-again = 記録を持つ人は、次のコマンドで計算しなおせます:
figures-withdrawn = 取り下げ:
figures-releases = これまでの公表
figures-earlier = 前回の数値
figures-part-near = 以前の公表と比べると少人数のことが分かるため、載せていません
figures-why-few = 載せていません。人数が少ないか、個人のことが分からないと確かめられないためです。
figures-why-near = 載せていません。以前の公表との差が小さく、少人数のことが分かってしまうためです。以前の数値をご覧ください。
figures-source = 指標ごとに決めた人数に満たない数と、そこから逆算できる数は載せません。以前の公表との差し引きで分かる数も同じです。集計に使わないと決めた人は含みません。

# 公表する
hub-publish = 数値の公表
hub-publish-link = 数値を公表する・これまでの公表
hub-publish-what = 公表したものは、誰でも読めます。あとから変えることはできず、取り下げることだけができます。以前の公表と合わせると分かってしまう数は載せません。
hub-publish-from = 最初の日
hub-publish-to = 最後の日
hub-publish-see = 公表する内容を見る
hub-publish-would = 公表する内容
hub-publish-not = 載せないもの
hub-publish-title = 題名
hub-publish-now = 公表する
hub-publish-nothing = 公表できるものがありません。
hub-publish-nothing-left-out = 載せないものはありません。
hub-publish-done = 第{ $number }回として公表しました。
hub-withdraw = 取り下げる
hub-withdraw-reason = 理由（誰でも読めます）
hub-withdrawn-done = 第{ $number }回の公表を取り下げました。理由とともに一覧に残ります。
