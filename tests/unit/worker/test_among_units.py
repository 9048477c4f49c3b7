"""What units read as those before them left it, as programs are written."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from steadyspot.memory.among_units import AmongUnits
from steadyspot.memory.restored import Restored
from steadyspot.memory.under_loops import UnderLoops

HEAD = """
import collections, csv, functools, io, itertools, json, logging, os, random, sqlite3, sys, time
from collections import Counter, defaultdict, deque
import duckdb
import numpy as np

class run:
    progress = save = staticmethod(lambda *_: None)
    remaining = remaining

U = range(10)
def load(u): return [{"id": (u * 3 + i) % 7, "v": u * i + 1} for i in range(4)]
def put(u, value): pass
"""
HANDED_ON = {
    "number of each row": (
        """
n=0
for u in run.remaining(U):
    rows=[]
    for r in load(u):
        n+=1; rows.append([n,r["v"]])
    put(u,rows)""",
        "n",
    ),
    "number of what is kept": (
        """
kept={}
for u in run.remaining(U):
    if u%7 not in kept: kept[u%7]=str(u%7)
    if len(kept)>3: put(u,kept[u%7])""",
        "kept",
    ),
    "first unit of each key": (
        """
first={}
for u in run.remaining(U):
    k=u%5
    if k not in first: first[k]=u
    put(u,first[k])""",
        "first",
    ),
    "first row of each customer": (
        """
class State: pass
s=State(); s.by_id={}
for u in run.remaining(U):
    put(u,[s.by_id.setdefault(r["id"],r["v"]) for r in load(u)])
    for r in load(u):
        if r["id"] not in s.by_id: s.by_id[r["id"]]=(u,r["v"])""",
        "by_id",
    ),
    "rows that were seen": (
        """
seen=set()
for u in run.remaining(U):
    out=[]
    for r in load(u):
        if r["id"] in seen: continue
        seen.add(r["id"]); out.append(r)
    put(u,out)""",
        "seen",
    ),
    "folders of which only the first unit makes more": (
        """
made=set()
for u in run.remaining(U):
    new=0
    if u%3 not in made:
        os.makedirs("/proc/self/fd",exist_ok=True); made.add(u%3); new=1
    put(u,new)""",
        "made",
    ),
    "rows that a generator has seen": (
        """
seen=set()
def fresh(rows):
    for r in rows:
        if r["id"] not in seen:
            seen.add(r["id"]); yield r
def main():
    for u in run.remaining(U): put(u,list(fresh(load(u))))
main()""",
        "seen",
    ),
    "rows that an object has seen": (
        """
class Dedupe:
    def __init__(self): self.seen={}
    def new(self,r):
        if r["id"] in self.seen: return False
        self.seen[r["id"]]=True
        return True
d=Dedupe()
for u in run.remaining(U): put(u,[r for r in load(u) if d.new(r)])""",
        "seen",
    ),
    "rows that an object deep in others has seen": (
        """
class Dedupe:
    def __init__(self): self.seen=set()
    def new(self,x):
        if x in self.seen: return False
        self.seen.add(x); return True
class Holds:
    def __init__(self,held): self.held=held
class App:
    def __init__(self): self.held=Holds(Holds(Holds(Holds(Dedupe()))))
    def main(self):
        for u in run.remaining(U): put(u,self.held.held.held.held.held.new(u%5))
App().main()""",
        "seen",
    ),
    "number of an object in a tuple": (
        """
class Seq:
    def __init__(self): self.n=0
    def next(self): self.n+=1; return self.n
def setup(): return Seq(),"x"
pair=setup()
for u in run.remaining(U): put(u,pair[0].next())""",
        "n",
    ),
    "rows that a step of several has seen": (
        """
class Dedupe:
    def __init__(self): self.seen=set()
    def run(self,x):
        new=x not in self.seen
        self.seen.add(x)
        return new
class Pipe:
    def __init__(self,*stages): self.stages=stages
    def run(self,x): return [one.run(x) for one in self.stages]
pipe=Pipe(Dedupe())
for u in run.remaining(U): put(u,pipe.run(u%5))""",
        "seen",
    ),
    "rows in a named tuple": (
        """
Both=collections.namedtuple("Both","seen other")
both=Both(set(),1)
for u in run.remaining(U):
    put(u,u%5 in both.seen)
    both.seen.add(u%5)""",
        "seen",
    ),
    "numbers by key of what a function is given by name": (
        """
def number(k,*,_ids={}):
    if k not in _ids: _ids[k]=len(_ids)
    return _ids[k]
for u in run.remaining(U): put(u,number(u*7%10))""",
        "_ids",
    ),
    "rows by methods of a set": (
        """
def dedupe():
    seen=set()
    return seen.add,seen.__contains__
add,known=dedupe()
for u in run.remaining(U):
    new=not known(u%5); add(u%5)
    put(u,new)""",
        "add",
    ),
    "object that is replaced": (
        """
import dataclasses
@dataclasses.dataclass(frozen=True)
class State: n:int=0
class Job:
    def __init__(self): self.s=State()
    def main(self):
        for u in run.remaining(U):
            self.s=dataclasses.replace(self.s,n=self.s.n+1)
            put(u,self.s.n)
Job().main()""",
        "n",
    ),
    "rows in a dictionary of a user": (
        """
seen=collections.UserDict()
for u in run.remaining(U):
    put(u,u%5 in seen)
    seen[u%5]=u""",
        "seen",
    ),
    "children of a seed": (
        """
seed=np.random.SeedSequence(7)
for u in run.remaining(U): put(u,np.random.default_rng(seed.spawn(1)[0]).random())""",
        "seed",
    ),
    "number of a context": (
        """
from contextvars import ContextVar
number=ContextVar("number",default=0)
for u in run.remaining(U):
    number.set(number.get()+1)
    put(u,number.get())""",
        "number",
    ),
    "rows before": (
        """
prev=None
for u in run.remaining(U):
    cur=load(u)
    put(u,[r["v"]-(p["v"] if prev else 0) for r,p in zip(cur,prev or cur)])
    prev=cur""",
        "prev",
    ),
    "number before": (
        """
last=0.0
for u in run.remaining(U):
    now=float(u*u)
    put(u,now-last)
    last=now""",
        "last",
    ),
    "numbers by key": (
        """
ids={}
for u in run.remaining(U): put(u,[ids.setdefault(r["id"],len(ids)) for r in load(u)])""",
        "ids",
    ),
    "numbers by key of a function": (
        """
ids={}
def number(k):
    if k not in ids: ids[k]=len(ids)+1
    return ids[k]
for u in run.remaining(U): put(u,[number(r["id"]) for r in load(u)])""",
        "ids",
    ),
    "rows that a database in memory has seen": (
        """
con=sqlite3.connect(":memory:"); con.execute("create table seen(id primary key)")
for u in run.remaining(U):
    ids=[(r["id"],) for r in load(u)]
    put(u,[con.execute("insert or ignore into seen values(?)",one).rowcount for one in ids])""",
        "con",
    ),
    "rows of a cursor": (
        """
cur=sqlite3.connect(":memory:").cursor(); cur.execute("create table t(v)")
for u in run.remaining(U):
    cur.execute("insert into t values(?)",(u,))
    put(u,cur.execute("select sum(v) from t").fetchone())""",
        "cur",
    ),
    "rows of DuckDB": (
        """
con=duckdb.connect(); con.execute("create table t as select 0 v")
for u in run.remaining(U):
    con.execute("update t set v=v+1")
    put(u,con.execute("select v from t").fetchone())""",
        "con",
    ),
    "rows of DuckDB itself": (
        """
duckdb.sql("create or replace table of_units as select 0 v")
for u in run.remaining(U):
    duckdb.execute("update of_units set v=v+1")
    put(u,duckdb.sql("select v from of_units").fetchone())""",
        "duckdb",
    ),
    "numbers by key of a factory": (
        """
ids=defaultdict(itertools.count().__next__)
for u in run.remaining(U): put(u,[ids[r["id"]] for r in load(u)])""",
        "ids",
    ),
    "function in the head": (
        """
seen=set()
def enrich(u):
    new=u%5 not in seen; seen.add(u%5)
    return u,new
for u,new in map(enrich,run.remaining(U)): put(u,new)""",
        "seen",
    ),
    "function of an object in a head of two": (
        """
class Tag:
    def __init__(self): self.n=0
    def of(self,u):
        self.n+=1
        return u,self.n
tag=Tag()
for i,(u,n) in enumerate(map(tag.of,run.remaining(U))): put(u,n)""",
        "n",
    ),
    "lambda in the head": (
        """
seen=set()
for u in filter(lambda u: not (u//9 in seen or seen.add(u//9)),run.remaining(U)): put(u,u)""",
        "seen",
    ),
    "generated in the head": (
        """
ids={}
for u,n in ((u,ids.setdefault(u*7%10,len(ids))) for u in run.remaining(U)): put(u,n)""",
        "ids",
    ),
    "generated by a name": (
        """
ids={}
def number(k):
    ids.setdefault(k,len(ids))
    return ids[k]
def main():
    todo=run.remaining(U)
    rows=((u,number(u*7%10)) for u in todo)
    for u,n in rows: put(u,n)
main()""",
        "ids",
    ),
    "filter by a name": (
        """
seen=set()
def is_new(u):
    if u//9 in seen: return False
    seen.add(u//9)
    return True
def main():
    new=filter(is_new,run.remaining(U))
    for u in new: put(u,u)
main()""",
        "seen",
    ),
    "generator beside units": (
        """
def numbers():
    n=100
    while True:
        yield n
        n+=1
for u,n in zip(run.remaining(U),numbers()): put(u,n)""",
        "n",
    ),
    "file beside units": (
        """
lines=open("/proc/meminfo")
for u,line in zip(run.remaining(U),lines): put(u,line[:3])""",
        "line",
    ),
    "list beside counted units": (
        """
names=[f"n{u}" for u in U]
todo=run.remaining(U)
for i,(name,u) in enumerate(zip(names,todo)): put(u,name)""",
        "name",
    ),
    "count in what is generated": (
        """
for u,n in ((u,i*2) for i,u in enumerate(run.remaining(U))): put(u,n)""",
        "n",
    ),
    "number where next is asked": (
        """
it=run.remaining(U); n=0
while True:
    u=next(it,None)
    if u is None: break
    n+=u; put(u,n)""",
        "n",
    ),
    "number until there is no next": (
        """
def main():
    it=iter(run.remaining(U)); n=0
    while True:
        try: u=next(it)
        except StopIteration: break
        n+=u
        put(u,n)
main()""",
        "n",
    ),
    "rows where the condition asks": (
        """
it=run.remaining(U); seen=set(); u=None
while (u:=next(it,None)) is not None:
    put(u,[r for r in load(u) if r["id"] not in seen])
    seen.update(r["id"] for r in load(u))""",
        "seen",
    ),
    "count of what is asked": (
        """
it=enumerate(run.remaining(U))
while True:
    try: n,u=next(it)
    except StopIteration: break
    put(u,n)""",
        "it",
    ),
    "rows that a decorator has seen": (
        """
def dedupe(f):
    seen=set()
    @functools.wraps(f)
    def inner(k,*a):
        if k in seen: return "dup"
        seen.add(k)
        return f(k,*a)
    return inner
@dedupe
def row(k): return f"row{k}"
for u in run.remaining(U): put(u,row(u%5))""",
        "seen",
    ),
    "count of a decorator": (
        """
def counted(f):
    def inner(*a):
        inner.calls+=1
        return f(inner.calls,*a)
    inner.calls=0
    return inner
@counted
def work(n,u): put(u,n)
for u in run.remaining(U): work(u)""",
        "calls",
    ),
    "count of a decorator that is made, by a helper": (
        """
def numbered(first):
    def around(f):
        at=first
        def number():
            nonlocal at
            at+=1
            return at
        def inner(u): return f(u,number())
        return inner
    return around
@numbered(7)
def work(u,n): put(u,n)
for u in run.remaining(U): work(u)""",
        "at",
    ),
    "seeded numbers": (
        """
random.seed(42)
for u in run.remaining(U): put(u,[random.random() for _ in range(3)])""",
        "random",
    ),
    "seeded in a function": (
        """
def setup(): random.seed(42)
def draw(): return random.gauss(0,1)
def main():
    setup()
    for u in run.remaining(U): put(u,draw())
main()""",
        "random",
    ),
    "seeded generator": (
        """
rng=np.random.default_rng(42)
for u in run.remaining(U): put(u,rng.normal(size=3).tolist())""",
        "rng",
    ),
    "seeded generator of an object": (
        """
class Sim:
    def __init__(self): self.rng=random.Random(7)
    def run(self,u): return self.rng.randint(0,1000)
sim=Sim()
for u in run.remaining(U): put(u,sim.run(u))""",
        "rng",
    ),
    "seeded numbers of numpy": (
        """
np.random.seed(1)
for u in run.remaining(U): put(u,np.random.normal())""",
        "numpy.random",
    ),
    "list of those before": (
        """
history=[]
for u in run.remaining(U):
    history.append(u*u)
    put(u,sum(history[-3:])/3)""",
        "history",
    ),
    "the last three": (
        """
w=deque(maxlen=3)
for u in run.remaining(U):
    w.append(u*u)
    put(u,sum(w)/len(w))""",
        "w",
    ),
    "first": (
        """
first=True
for u in run.remaining(U):
    put(u,["header"] if first else []); first=False""",
        "first",
    ),
    "columns of the first": (
        """
columns=None
for u in run.remaining(U):
    row={f"c{u%3}":1,"x":2}
    if columns is None: columns=list(row)
    put(u,[row.get(c) for c in columns])""",
        "columns",
    ),
    "counts": (
        """
counts=Counter()
for u in run.remaining(U):
    for r in load(u): counts[r["id"]]+=1
    put(u,counts.most_common(2))""",
        "counts",
    ),
    "number of an object": (
        """
class W:
    n=0
    def work(self,u):
        self.n+=1; put(u,f"{self.n}/10")
w=W()
for u in run.remaining(U): w.work(u)""",
        "n",
    ),
    "count of the loop": (
        """
for i,u in enumerate(run.remaining(U)): put(u,[i,u])""",
        "i",
    ),
    "count beside the loop": (
        """
for u,i in zip(run.remaining(U),itertools.count(100)): put(u,[i,u])""",
        "i",
    ),
    "sum of an object": (
        """
class Account:
    def __init__(self): self.balance=100
account=Account()
for u in run.remaining(U):
    account.balance+=u
    put(u,{"balance":account.balance})""",
        "balance",
    ),
    "array": (
        """
m=np.eye(3)
for u in run.remaining(U):
    m[u%3,0]+=u
    put(u,m.sum())""",
        "m",
    ),
    "best so far": (
        """
best=None
for u in run.remaining(U):
    x=(u*7)%11
    is_best=best is None or x<best
    if is_best: best=x
    put(u,is_best)""",
        "best",
    ),
    "number of a closure": (
        """
def counter():
    n=0
    def step():
        nonlocal n
        n+=1; return n
    return step
step=counter()
for u in run.remaining(U): put(u,step())""",
        "n",
    ),
    "number of a default": (
        """
def nxt(state=[0]):
    state[0]+=1; return state[0]
for u in run.remaining(U): put(u,nxt())""",
        "state",
    ),
    "global number": (
        """
n = 0
def step():
    global n
    n += 1
    return n
def main():
    for u in run.remaining(U): put(u, step())
main()""",
        "n",
    ),
    "number of a class": (
        """
class Batch:
    number = 0
    def __init__(self):
        Batch.number += 1
        self.name = f"batch {Batch.number}"
for u in run.remaining(U): put(u, Batch().name)""",
        "number",
    ),
    "number in a dictionary": (
        """
state = {"n": 0}
for u in run.remaining(U):
    state["n"] += 1
    put(u, state["n"])""",
        "state",
    ),
    "the one before in a dictionary": (
        """
state = {}
for u in run.remaining(U):
    put(u, u - state.get("last", 0))
    state["last"] = u""",
        "state",
    ),
    "the one before in a list": (
        """
last = [0]
for u in run.remaining(U):
    put(u, u - last[0])
    last[0] = u""",
        "last",
    ),
    "two numbers": (
        """
a, b = 0, 1
for u in run.remaining(U):
    a, b = b, a + b
    put(u, a)""",
        "a",
    ),
    "text": (
        """
text = ""
for u in run.remaining(U):
    text += str(u)
    put(u, text)""",
        "text",
    ),
    "object that is made of the one before": (
        """
class Sum:
    def __init__(self, total): self.total = total
    def plus(self, u): return Sum(self.total + u)
so_far = Sum(0)
for u in run.remaining(U):
    so_far = so_far.plus(u)
    put(u, so_far.total)""",
        "total",
    ),
    "table so far": (
        """
table = np.zeros(0)
for u in run.remaining(U):
    table = np.concatenate([table, np.ones(u)])
    put(u, table.mean())""",
        "table",
    ),
    "best ones": (
        """
import heapq
best = []
for u in run.remaining(U):
    heapq.heappush(best, (u * 7) % 11)
    put(u, best[0])""",
        "best",
    ),
    "who is next": (
        """
workers = deque("abc")
for u in run.remaining(U):
    workers.rotate()
    put(u, workers[0])""",
        "workers",
    ),
    "rows by another name": (
        """
rows = {k: {"n": 0} for k in range(3)}
for u in run.remaining(U):
    row = rows[u % 3]
    row["n"] += 1
    put(u, dict(row))""",
        "rows",
    ),
    "groups": (
        """
groups = defaultdict(list)
for u in run.remaining(U):
    groups[u % 3].append(u)
    put(u, groups[u % 3])""",
        "groups",
    ),
    "rows that are skipped by a function": (
        """
seen = set()
def handle(r, out):
    if r["id"] in seen:
        return
    seen.add(r["id"])
    out.append(r)
for u in run.remaining(U):
    out = []
    for r in load(u): handle(r, out)
    put(u, out)""",
        "seen",
    ),
    "in a coroutine": (
        """
import asyncio
async def main():
    n = 0
    for u in run.remaining(U):
        await asyncio.sleep(0)
        n += 1
        put(u, n)
asyncio.run(main())""",
        "n",
    ),
}

BY_VALUE_ALONE = {
    "count of what is asked",
    "numbers by key of a factory",
    "who is next",
    "rows by another name",
    "rows by methods of a set",
    "children of a seed",
    "number of a context",
}

NOT_HANDED_ON = {
    "cache of a function": """
cache={}
def name(k):
    if k not in cache: cache[k]=str(k)*2
    return cache[k]
for u in run.remaining(U): put(u,[name(r["id"]) for r in load(u)])""",
    "cache": """
cache={}
for u in run.remaining(U):
    v=cache.get(u%3)
    if v is None:
        v=cache[u%3]=str(u%3)
    put(u,v)""",
    "cache that is emptied when it is full": """
cache={}
def name(k):
    if k in cache: return cache[k]
    if len(cache)>=5: cache.clear()
    cache[k]=str(k)*2
    return cache[k]
for u in run.remaining(U): put(u,[name(r["id"]) for r in load(u)])""",
    "cache of what was used last": """
class Names:
    def __init__(self): self.last=collections.OrderedDict()
    def of(self,k):
        if k in self.last: self.last.move_to_end(k); return self.last[k]
        v=self.last[k]=str(k)*2
        while len(self.last)>4: self.last.popitem(last=False)
        return v
names=Names()
for u in run.remaining(U): put(u,names.of(u%6))""",
    "cache of what its key says": """
squares,names={},{}
for u in run.remaining(U):
    for r in load(u):
        k=r["id"]
        if k not in squares: squares[k]=k*k
        if (k,u) not in names: names[k,u]=f"{k} of {u}"
    put(u,squares[0]+len(names[0,u]) if 0 in squares and (0,u) in names else 0)""",
    "cache of an object": """
cache={}
class Look:
    def __init__(self): self.known={}
    def up(self,k):
        try: return self.known[k]
        except KeyError:
            found=self.known[k]=k*k
            return found
look=Look()
for u in run.remaining(U): put(u,look.up(u%3))""",
    "cache by default": """
cache={}
for u in run.remaining(U): put(u,cache.setdefault(u%3,str(u%3)))""",
    "table that is loaded once": """
table=None
for u in run.remaining(U):
    if table is None: table={k:str(k) for k in range(10)}
    put(u,table[u])""",
    "table of a function that is loaded once": """
_table=None
def table():
    global _table
    if _table is None: _table=np.arange(10)
    return _table
for u in run.remaining(U): put(u,int(table()[u]))""",
    "time of the one before": """
last=time.monotonic()
for u in run.remaining(U):
    wait=0.002-(time.monotonic()-last)
    if wait>0: time.sleep(wait)
    last=time.monotonic()
    put(u,u)""",
    "progress": """
done=0; begun=time.time()
for u in run.remaining(U):
    put(u,u)
    done+=1
    if done%3==0: print(done,"done",done/(time.time()-begun),"per s")
    run.progress(done/10)""",
    "log": """
log=logging.getLogger()
rows=0
for u in run.remaining(U):
    r=load(u); rows+=len(r)
    log.info("%d rows so far, %.1f on average",rows,rows/(u+1))
    put(u,r)""",
    "list that is emptied": """
buf=[]
for u in run.remaining(U):
    for r in load(u): buf.append(r)
    put(u,buf)
    buf.clear()""",
    "list that is made anew": """
rows=[]
for u in run.remaining(U):
    rows=[]
    for r in load(u): rows.append(r["v"])
    put(u,rows)""",
    "numbers that are not seeded": """
for u in run.remaining(U):
    time.sleep(random.random()/1000); put(u,u)""",
    "seeded for each": """
for u in run.remaining(U):
    random.seed(u); put(u,random.random())""",
    "generator of each": """
def draw(u):
    rng=np.random.default_rng((42,u)); return rng.normal()
for u in run.remaining(U): put(u,draw(u))""",
    "too many errors": """
errors=0
for u in run.remaining(U):
    try:
        if u==3: raise ValueError
    except ValueError:
        errors+=1
        if errors>5: raise
    put(u,u)""",
    "tries": """
for u in run.remaining(U):
    for tries in range(3):
        try: v=u*2; break
        except OSError: time.sleep(2**tries)
    put(u,v)""",
    "pause": """
pause=0.001
for u in run.remaining(U):
    t=time.time(); put(u,u)
    pause=min(pause*1.1,0.002) if time.time()-t>0.01 else 0.001
    time.sleep(pause)""",
    "saved at times": """
n=0
for u in run.remaining(U):
    put(u,u); n+=1
    if n%4==0:
        import gc; gc.collect(); run.save()""",
    "calls of a model": """
class Model:
    def __init__(self): self.calls=0; self.w=np.arange(10)
    def predict(self,u): self.calls+=1; return int(self.w[u])
m=Model()
for u in run.remaining(U): put(u,m.predict(u))
print(m.calls)""",
    "limit": """
limit=int(os.environ.get("LIMIT","100")); n=0
for u in run.remaining(U):
    put(u,u); n+=1
    if n>=limit: break""",
    "count that is told": """
for i,u in enumerate(run.remaining(U)):
    if i%2==0: print(i,"of 10")
    put(u,u)""",
    "times that are told": """
times=[]
for u in run.remaining(U):
    t=time.perf_counter(); put(u,u); times.append(time.perf_counter()-t)
print(sum(times)/len(times))""",
    "settings": """
config={"a":1}
os.environ["X"]="1"
for u in run.remaining(U):
    config["current"]=u
    put(u,[config["a"],config["current"]])""",
    "cache of the library": """
from functools import lru_cache
@lru_cache(maxsize=None)
def sq(k): return k*k
for u in run.remaining(U): put(u,sq(u%3))""",
    "client": """
class Client:
    def __init__(self): self.calls=0; self.token=None; self.at=0
    def get(self,u):
        if self.token is None or time.time()-self.at>1000: self.token="t"; self.at=time.time()
        self.calls+=1
        return {"v":u,"ok":bool(self.token)}
c=Client()
for u in run.remaining(U): put(u,c.get(u))""",
    "array that is filled by a library": """
scratch = np.empty(3)
for u in run.remaining(U):
    np.multiply(np.ones(3), u, out=scratch)
    put(u, scratch.sum())""",
    "functions in the head": """
sizes={}
def enrich(u): return u,len(load(u))
def is_due(u): return u not in sizes
for u,n in map(enrich,filter(is_due,run.remaining(U))): put(u,n)""",
    "cache in the head": """
cache={}
def rows(k):
    if k not in cache: cache[k]=[k]*2
    return cache[k]
for u,r in ((u,rows(u%3)) for u in run.remaining(U)): put(u,r)""",
    "progress in the head": """
done=0
def bar(units,total,initial,unit): return units
for u in bar(run.remaining(U),total=len(list(U)),initial=done,unit="rows"):
    done+=1
    put(u,u)
    print(done)""",
    "names in the head": """
for u,name in ((u,f"unit {u}") for u in run.remaining(U)):
    u=str(u); name=name.upper()
    put(u,name)
for one in filter(lambda one: one>=0,run.remaining(U)):
    one=one*2
    put(one,one)""",
    "the same beside units": """
for u,(a,b),_ in zip(run.remaining(U),itertools.repeat((1,2)),range(100)): put(u,a+b)""",
    "told beside units": """
for u,line in zip(run.remaining(U),open("/proc/meminfo")):
    put(u,u); print(line)""",
    "names for each other": """
def main(first,todo):
    todo=first
    first=todo
    for u in map(str,todo): put(u,u)
main(run.remaining(U),None)""",
    "head that is made of something kept": """
def rows(units):
    before=json.load(io.StringIO("[1,2]"))
    for u in units:
        before.append(u)
        yield u,len(before)
        del before[-1]
for u,n in rows(run.remaining(U)): put(u,u)""",
    "next that is asked": """
def main():
    it=iter(run.remaining(U)); u=None; n=0; cache={}
    while (u:=next(it,None)) is not None:
        u=u*2
        if u%3 not in cache: cache[u%3]=str(u%3)
        rows=[]
        for r in load(u): rows.append(r)
        put(u,[rows,cache[u%3]])
        n+=1
        print(n)
main()""",
    "next that is asked of a generator": """
def each():
    it=run.remaining(U); u=None
    while True:
        try: u=next(it)
        except StopIteration: return
        print(u)
        yield u
todo=map(str,each()); u=v=None; count=0
while True:
    v=next(todo,None)
    if v is None: break
    if v=="7": continue
    count+=1
    put(v,v)
    if count%2: print(count)""",
    "first of each table": """
for table in "ab":
    it=run.remaining(U); rows=[table]
    first=next(it,None)
    rows.append(first)
    for u in it: put(u,table)
    put(table,rows)""",
    "parser that is cleared": """
class Parser:
    def __init__(self): self.rows, self.n = [], 0
    def reset(self):
        self.rows.clear()
        self.n = 0
    def feed(self, r):
        self.n += 1
        self.rows.append((self.n, r))
parser = Parser()
def work(u):
    parser.reset()
    for r in load(u): parser.feed(r)
    put(u, parser.rows)
for u in run.remaining(U): work(u)""",
    "functions that call themselves": """
depth = 0
def walk(u):
    global depth
    if u: walk(u - 1)
    depth = u
def walk_on(u):
    walk_on(u - 1) if u else None
    walk(u)
for u in run.remaining(U):
    walk_on(u)
    put(u, depth)""",
    "record that counts": """
session = {"token": "t", "uses": 0}
for u in run.remaining(U):
    session["uses"] += 1
    put(u, session["token"])""",
    "scraper": """
class Throttle:
    def __init__(self,per): self.per=per; self.last=0.0; self.waited=0
    def wait(self):
        left=self.last+self.per-time.time()
        if left>0:
            time.sleep(left); self.waited+=left
        self.last=time.time()
class Session:
    def __init__(self): self.headers={}; self.cookies={}; self.requests=0; self.token=None
    def refresh(self): self.token="t"; self.headers["Authorization"]=self.token
    def get(self,u):
        if not self.token: self.refresh()
        self.requests+=1; self.cookies["sid"]="x"
        return {"url":u,"auth":self.headers["Authorization"]}
throttle,session=Throttle(.001),Session()
def fetch(u):
    throttle.wait()
    for attempt in range(3):
        try: return session.get(u)
        except OSError: time.sleep(2**attempt)
    raise RuntimeError
def main():
    for u in run.remaining(U): put(u,fetch(u))
    print(session.requests,throttle.waited)
main()""",
    "model and scratch array": """
class Model:
    def __init__(self): self.w=None; self.batches=0
    def load(self): self.w=np.arange(12).reshape(3,4)
    def predict(self,x):
        if self.w is None: self.load()
        self.batches+=1
        return (self.w@x).tolist()
model=Model()
scratch=np.empty(4)
for u in run.remaining(U):
    scratch[:]=u
    x=scratch*2
    put(u,model.predict(x))
print("batches",model.batches)""",
    "statistics": """
from dataclasses import dataclass, field
@dataclass
class Stats: files:int=0; rows:int=0; bad:list=field(default_factory=list)
class Pipeline:
    def __init__(self): self.stats=Stats(); self.current=None; self.by_day={}
    def read(self,u):
        self.current=u; rows=load(u); self.stats.files+=1; self.stats.rows+=len(rows)
        return rows
    def clean(self,rows):
        good=[]
        for r in rows:
            if r["v"]<0: self.stats.bad.append(r["id"]); continue
            good.append(dict(r,day=self.current))
        return good
    def run(self):
        for u in run.remaining(U):
            put(u,self.clean(self.read(u)))
            logging.info("after %s: %s",u,self.stats)
        print(self.stats.files,self.stats.rows,len(self.stats.bad))
Pipeline().run()""",
    "buffer that is written anew": """
import io,csv
buf=io.StringIO(); writer=csv.writer(buf)
for u in run.remaining(U):
    buf.seek(0); buf.truncate()
    for r in load(u): writer.writerow(r.values())
    put(u,buf.getvalue())""",
    "parser that is reset": """
class Parser:
    def __init__(self): self.reset()
    def reset(self): self.stack=[]; self.out=[]; self.n=0
    def feed(self,r): self.n+=1; self.stack.append(r); self.out.append(self.n)
p=Parser()
for u in run.remaining(U):
    p.reset()
    for r in load(u): p.feed(r)
    put(u,p.out)""",
    "cache that counts": """
class Geo:
    def __init__(self): self.cache={}; self.hits=self.misses=0
    def where(self,k):
        if k in self.cache:
            self.hits+=1
            return self.cache[k]
        self.misses+=1
        found=(k*2,k*3); self.cache[k]=found
        return found
geo=Geo()
for u in run.remaining(U): put(u,[geo.where(r["id"]) for r in load(u)])
print(geo.hits,geo.misses)""",
    "folders that were made": """
made=set()
for u in run.remaining(U):
    if u%3 not in made:
        os.makedirs("/proc/self/fd",exist_ok=True)
        made.add(u%3)
    put(u,u)""",
    "cache of records": """
_cache={}
def where(k):
    try: return _cache[k]
    except KeyError: pass
    _cache[k]=result={"lat":k,"lon":k*2}
    return result
for u in run.remaining(U): put(u,[where(r["id"]) for r in load(u)])""",
    "cache of a decorator": """
def memoize(f):
    memo={}
    def inner(*args):
        if args not in memo: memo[args]=f(*args)
        return memo[args]
    return inner
@memoize
def slow(k): return k*k
for u in run.remaining(U): put(u,slow(u%3))""",
    "seeded once for the order": """
random.seed(0)
units=list(U); random.shuffle(units)
for u in run.remaining(units): put(u,u)""",
    "failures": """
failed=[]; ok=0
for u in run.remaining(U):
    try:
        put(u,load(u)); ok+=1
    except ValueError as e:
        failed.append((u,e))
        logging.warning("%s failed, %d so far",u,len(failed))
        if len(failed)>3: sys.exit("too many")
if failed: sys.exit(1)
print(ok)""",
    "time to go": """
begun=time.monotonic(); sizes=[]
for i,u in enumerate(run.remaining(U),1):
    rows=load(u); sizes.append(len(rows)); put(u,rows)
    took=time.monotonic()-begun
    print(f"{i}/{len(U)} {took/i:.2f}s each, {sum(sizes)} rows")""",
    "rows in memory of each unit": """
con=sqlite3.connect(":memory:"); con.execute("create table t(v)")
for u in run.remaining(U):
    con.execute("delete from t")
    con.executemany("insert into t values(?)",[(r["v"],) for r in load(u)])
    put(u,con.execute("select sum(v) from t").fetchone())""",
    "table of DuckDB of each unit": """
con=duckdb.connect()
for u in run.remaining(U):
    con.execute(f"create or replace table t as select range*{u} v from range(5)")
    put(u,con.execute("select sum(v) from t").fetchone())""",
    "rows that units look up in memory": """
con=sqlite3.connect(":memory:"); con.execute("create table t(u,v)")
con.executemany("insert into t values(?,?)",[(u%5,u) for u in range(20)])
for u in run.remaining(U): put(u,con.execute("select v from t where u=?",(u,)).fetchall())""",
    "rows that units leave in memory": """
con=sqlite3.connect(":memory:"); con.execute("create table t(v)")
for u in run.remaining(U):
    put(u,load(u))
    with con: con.execute("insert into t values(?)",(u,))""",
    "object that each unit makes": """
class Item:
    def __init__(self,u): self.u=u; self.rows=[]
class Job:
    def main(self):
        for u in run.remaining(U):
            self.item=Item(u)
            self.item.rows.append(u)
            put(u,self.item.rows)
job=Job(); job.item=None; job.main()""",
    "count of a step that is told": """
class Step:
    def __init__(self): self.count=0
    def run(self,x): self.count+=1; return x
steps=(Step(),Step())
for u in run.remaining(U): put(u,[one.run(u) for one in steps])
print(steps[0].count)""",
    "rows by a method of what each unit empties": """
rows=[]; add=rows.append
for u in run.remaining(U):
    rows.clear()
    for r in load(u): add(r)
    put(u,rows)""",
    "context of each unit": """
from contextvars import ContextVar
unit=ContextVar("unit",default=0)
def of(r): return unit.get(),r["id"]
for u in run.remaining(U):
    unit.set(u)
    put(u,[of(r) for r in load(u)])""",
    "cache in a dictionary of a user": """
cache=collections.UserDict()
def name(k):
    if k not in cache: cache[k]=str(k)*2
    return cache[k]
for u in run.remaining(U): put(u,[name(r["id"]) for r in load(u)])""",
    "child of a seed for each unit": """
seed=np.random.SeedSequence(7)
for u in run.remaining(U):
    put(u,np.random.default_rng(np.random.SeedSequence([7,u])).random())""",
    "methods of a cache": """
cache={}
get,keep=cache.get,cache.__setitem__
def of(k):
    v=get(k)
    if v is None: v=k*2; keep(k,v)
    return v
for u in run.remaining(U): put(u,[of(r["id"]) for r in load(u)])""",
    "connection of an age": """
import sqlite3
class Db:
    def __init__(self): self.con=None; self.queries=0; self.opened=0
    def connect(self):
        self.con=sqlite3.connect(":memory:"); self.opened=time.time()
    def q(self,u):
        if self.con is None or time.time()-self.opened>300: self.connect()
        self.queries+=1
        return self.con.execute("select ?*2",(u,)).fetchone()[0]
db=Db()
for u in run.remaining(U): put(u,db.q(u))""",
    "answers that a decorator has read": """
def kept(path):
    def around(f):
        memo=json.load(open(path)) if os.path.exists(path) else {}
        @functools.wraps(f)
        def inner(k):
            if k not in memo: memo[k]=f(k)
            return memo[k]
        return inner
    return around
@kept("/nowhere")
def slow(k): return k*k
for u in run.remaining(U): put(u,slow(u%3))""",
    "statistics of decorators": """
times={}
def timed(f):
    @functools.wraps(f)
    def inner(*a):
        begun=time.monotonic()
        try: return f(*a)
        finally: times[f.__name__]=times.get(f.__name__,0)+time.monotonic()-begun
    return inner
def logged(level):
    def around(f):
        calls=0
        def inner(*a):
            nonlocal calls
            calls+=1
            logging.log(level,"call %s of %s",calls,f)
            return f(*a)
        return inner
    return around
@timed
@logged(10)
def work(u): return u*2
for u in run.remaining(U): put(u,work(u))
print(times)""",
    "tries of a decorator": """
import functools
def retry(n):
    def deco(f):
        @functools.wraps(f)
        def inner(*a):
            left=n; pause=.001
            while True:
                try: return f(*a)
                except OSError:
                    left-=1
                    if not left: raise
                    time.sleep(pause); pause*=2
        return inner
    return deco
@retry(3)
def get(u): return u*2
for u in run.remaining(U): put(u,get(u))""",
    "names of one unit": """
for u in run.remaining(U):
    mode="start"; out=[]; header=None
    for r in load(u):
        if mode=="start": header=r; mode="rows"
        else: out.append((header["id"],r["v"]))
    put(u,out)""",
    "names by case": """
for u in run.remaining(U):
    try: v=load(u)[0]
    except IndexError: ok=False
    else: ok=True
    if u%2: note="odd"
    elif u: note="even"
    else: note="zero"
    put(u,[ok,note])""",
    "names of an inner loop": """
for u in run.remaining(U):
    n=u
    while n>1:
        half=n//2; n=half
        steps=half
    put(u,[n])""",
    "sum of one unit": """
for u in run.remaining(U):
    total=0
    for r in load(u):
        if r["v"]>5:
            big=r["v"]; total+=big
    put(u,total)""",
}


def handed_on(folder: Path, text: str, units: Iterable[int]) -> tuple[list[str], bool]:
    """What a program's units leave to those after them, and whether it may be so by its text."""
    found: list[str] = []
    may_hide_some: list[bool] = []

    def remaining(_: Iterable[int]) -> Iterator[int]:
        running = UnderLoops([str(program)])
        among = AmongUnits(running, Restored(running))
        may_hide_some.append(among.may_hide_some())
        yield from units
        found.extend(among.names())

    program = folder / "job.py"
    program.write_text(f"{HEAD}{text.strip()}\n")
    module = type(sys)("job")
    given: dict[str, Any] = {"__name__": "__main__", "remaining": remaining, "print": id}
    module.__dict__.update(given | {"print": lambda *_: None})
    exec(compile(program.read_text(), program, "exec"), module.__dict__)
    return found, may_hide_some == [True]


@pytest.mark.parametrize("way", HANDED_ON)
def test_what_a_unit_reads_as_those_before_left_it_is_known(tmp_path: Path, way: str) -> None:
    text, name = HANDED_ON[way]
    assert handed_on(tmp_path, text, range(6, 10)) == ([name], way not in BY_VALUE_ALONE)


@pytest.mark.parametrize("way", HANDED_ON)
def test_one_unit_shows_it_too(tmp_path: Path, way: str) -> None:
    text, name = HANDED_ON[way]
    assert handed_on(tmp_path, text, [9])[0] == [name]


@pytest.mark.parametrize("way", NOT_HANDED_ON)
def test_what_is_looked_up_told_or_made_anew_is_not(tmp_path: Path, way: str) -> None:
    assert handed_on(tmp_path, NOT_HANDED_ON[way], range(6, 10))[0] == []
