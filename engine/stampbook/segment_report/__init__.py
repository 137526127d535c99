"""The report on segments: tables out of a history and its runs, pictures of them, and one page that holds both.

`survey` says what a report is made of, `tables` and `findings` work out its numbers, `charts` draws them, `sections`
puts them in order, and `page` and `files` write them. Nothing here asks a database but `gathering`.
"""
