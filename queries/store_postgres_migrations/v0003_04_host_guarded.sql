-- From here on the policies below say which rows somebody other than the owner may touch.
alter table workbench.host enable row level security
