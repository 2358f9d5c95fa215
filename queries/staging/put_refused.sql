-- Notes lines that the strict parser refused, so that their fields are not read.
insert into refused_line
select
    line_number,
    reason
from refusal
