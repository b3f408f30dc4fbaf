async def test_a(world):
    c = world.caller(organization=world.beta)
    for l in ("assets","users","groups","sites","organizations","credentials","tasks","taskRuns"):
        d = await c.data("{%s(first:1000){totalCount nodes{id}}}" % l)
        print(l, d[l]["totalCount"])
        d = await world.caller().data("{%s(first:1000){totalCount nodes{id}}}" % l)
        print(l, d[l]["totalCount"])
    assert 0
