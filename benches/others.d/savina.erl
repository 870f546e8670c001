%% The workloads of savina on Erlang/OTP: savina:main([Workload, N]) prints one JSON line per number.
%%
%% Two schedulers (`erl +S 2`), every other setting as it comes. Restarts are those of `supervisor`.
%% Where the Rust actors wait in a handler, the process is suspended: a receive that skips 600,000
%% messages would measure that. A process is the main thread here, so `counting-thread` and
%% `ask-thread` do not exist, and neither does a bounded mailbox.
-module(savina).
-behaviour(supervisor).
-export([main/1, init/1, start_fragile/0, fragile/0]).

-define(BATCH, 20).
-define(SOURCES, 100).
-define(RING, 503).
-define(BIG, 200).
-define(WORKERS, 60).
-define(PHILOSOPHERS, 20).

main([Workload, N]) ->
    logger:set_primary_config(level, none),
    run(Workload, list_to_integer(N)),
    halt().

run("pingpong", N) -> timed("", N, ring(2, 2 * N));
run("ring", N) -> timed("", N, ring(?RING, N));
run("counting", N) ->
    Main = self(),
    Counter = spawn(fun() -> count(N, Main) end),
    Producer = spawn(fun() -> receive go -> produce(Counter, N) end end),
    timed("", N, time(fun() -> Producer ! go, done(1) end));
run("fan-in", N) ->
    {_, Sources} = fan_in(N, N div ?SOURCES div ?BATCH, true),
    timed("", N, time(fun() -> [S ! {go, ?BATCH} || S <- Sources], done(1) end));
run("fan-in-deep", N) ->
    {Sink, Sources} = fan_in(N, 1, false),
    erlang:suspend_process(Sink),
    timed("", N, time(fun() ->
        [S ! {go, N div ?SOURCES} || S <- Sources],
        [receive sent -> ok end || _ <- Sources],
        erlang:resume_process(Sink),
        done(1)
    end));
run("ask", N) ->
    Service = spawn(fun service/0),
    Main = self(),
    spawn(fun() -> Main ! {laps, [lap(Service, I) || I <- lists:seq(1, N)]} end),
    receive {laps, Laps} -> laps("", Laps) end;
run("spawn", N) ->
    {_, Idle, _, Used, _} = spawn_round(N),
    {Spawned, _, Touched, _, Stopped} = spawn_round(N),
    print("", N, [{"ns", Spawned / N}, {"bytes", Idle / N}]),
    print("first-message", N, [{"ns", Touched / N}, {"bytes", Used / N}]),
    print("stop", N, [{"ns", Stopped / N}]);
run("queued", N) ->
    Holder = spawn(fun() -> receive never -> ok end end),
    erlang:suspend_process(Holder),
    garbage_collect(),
    Before = resident(),
    queue(Holder, N),
    garbage_collect(),
    print("", N, [{"bytes", (resident() - Before) / N}]);
run("big", N) ->
    Main = self(),
    All = list_to_tuple([spawn(fun() ->
        receive {all, All} -> big(I, All, N div ?BIG + 1, partners(I), Main) end
    end) || I <- lists:seq(1, ?BIG)]),
    [P ! {all, All} || P <- tuple_to_list(All)],
    timed("", N, time(fun() -> [P ! pong || P <- tuple_to_list(All)], done(?BIG) end));
run("fork-join", N) ->
    Main = self(),
    Rounds = N div ?WORKERS,
    Workers = [spawn(fun() -> work(Rounds, Main) end) || _ <- lists:seq(1, ?WORKERS)],
    Dealer = spawn(fun() -> receive go -> deal(Workers, Rounds) end end),
    timed("", N, time(fun() -> Dealer ! go, done(?WORKERS) end));
run("philosophers", N) ->
    Main = self(),
    Forks = maps:from_list([{I, free} || I <- lists:seq(0, ?PHILOSOPHERS - 1)]),
    Arbiter = spawn(fun() -> receive {table, All} -> arbiter(All, Forks) end end),
    All = [spawn(fun() -> philosopher(I, Arbiter, N div ?PHILOSOPHERS, Main) end)
           || I <- lists:seq(0, ?PHILOSOPHERS - 1)],
    Arbiter ! {table, list_to_tuple(All)},
    timed("", N, time(fun() -> [P ! denied || P <- All], done(?PHILOSOPHERS) end));
run("restart-panic", N) -> timed("", N, restarts(N, fun() -> error(as_told) end));
run("restart-error", N) -> timed("", N, restarts(N, fun() -> exit(as_told) end));
run("timers", N) ->
    Start = now_ns(),
    Before = cpu(),
    Ignores = spawn(fun ignore/0),
    Timers = [erlang:send_after(D, Ignores, late) || D <- delays(N, 1000)],
    [erlang:cancel_timer(T) || T <- Timers],
    timer:sleep(max(0, 1100 - (now_ns() - Start) div 1000000)),
    Cancelled = cpu() - Before,
    Main = self(),
    Hears = spawn(fun() -> Main ! {laps, [receive {due, At} -> now_ns() - At end || _ <- lists:seq(1, N)]} end),
    Again = cpu(),
    [erlang:send_after(D, Hears, {due, now_ns() + D * 1000000}) || D <- delays(N, 100)],
    receive {laps, Laps} ->
        Fired = cpu() - Again,
        timed("", N, Cancelled),
        {_, P50, P99} = shares(Laps),
        print("timer-fire", N, [{"ns", Fired / N}, {"p50_ns", P50}, {"p99_ns", P99}])
    end;
run(_, _) -> ok.

%% pingpong, ring

ring(Nodes, Hops) ->
    Main = self(),
    All = [spawn(fun() -> receive {next, Next} -> node(Next, Main) end end) || _ <- lists:seq(1, Nodes)],
    [P ! {next, Next} || {P, Next} <- lists:zip(All, tl(All) ++ [hd(All)])],
    time(fun() -> hd(All) ! Hops, done(1) end).

node(Next, Main) ->
    receive
        0 -> Main ! done;
        Left -> Next ! Left - 1
    end,
    node(Next, Main).

%% counting

produce(_, 0) -> ok;
produce(Counter, N) -> Counter ! N, produce(Counter, N - 1).

count(0, Main) -> Main ! done;
count(Left, Main) -> receive _ -> count(Left - 1, Main) end.

%% fan-in

fan_in(N, Batches, Answers) ->
    Main = self(),
    Sink = spawn(fun() -> sink(N, Answers, Main) end),
    {Sink, [spawn(fun() -> source(Sink, Batches, Main) end) || _ <- lists:seq(1, ?SOURCES)]}.

source(_, 0, Main) -> Main ! sent, receive never -> ok end;
source(Sink, Batches, Main) ->
    receive {go, N} -> batch(Sink, N) end,
    source(Sink, Batches - 1, Main).

batch(Sink, 1) -> Sink ! {self(), true};
batch(Sink, N) -> Sink ! {self(), false}, batch(Sink, N - 1).

sink(0, _, Main) -> Main ! done;
sink(Left, Answers, Main) ->
    receive
        {Source, true} when Answers -> Source ! {go, ?BATCH};
        _ -> ok
    end,
    sink(Left - 1, Answers, Main).

%% ask, as gen_server:call does it

service() -> receive {Ref, From, I} -> From ! {Ref, I} end, service().

lap(Service, I) ->
    Start = now_ns(),
    ask(Service, I),
    now_ns() - Start.

ask(Service, I) ->
    Ref = monitor(process, Service, [{alias, reply_demonitor}]),
    Service ! {Ref, Ref, I},
    receive
        {Ref, Answer} -> Answer;
        {'DOWN', Ref, _, _, _} -> down
    end.

%% spawn, queued

spawn_round(N) ->
    Main = self(),
    Counters = [atomics:new(1, []) || _ <- [started, touched, stopped]],
    Before = resident(),
    {Spawned, All} = time_of(fun() ->
        All = [spawn(fun() -> idle(Counters, N, Main) end) || _ <- lists:seq(1, N)],
        done(1),
        All
    end),
    garbage_collect(),
    Idle = resident() - Before,
    Touched = time(fun() -> [P ! touch || P <- All], done(1) end),
    garbage_collect(),
    Used = resident() - Before,
    Stopped = time(fun() -> [P ! stop || P <- All], done(1) end),
    {Spawned, Idle, Touched, Used, Stopped}.

idle([Started, Touched, Stopped], N, Main) ->
    arrive(Started, N, Main),
    receive touch -> arrive(Touched, N, Main) end,
    receive stop -> arrive(Stopped, N, Main) end.

arrive(Counter, N, Main) ->
    case atomics:add_get(Counter, 1, 1) of
        N -> Main ! done;
        _ -> ok
    end.

queue(_, 0) -> ok;
queue(Holder, N) -> Holder ! {N, N}, queue(Holder, N - 1).

%% big

big(Id, All, Left, Partners, Main) ->
    receive
        {ping, From} -> element(From, All) ! pong, big(Id, All, Left, Partners, Main);
        pong when Left =:= 1 -> Main ! done, big(Id, All, 0, Partners, Main);
        pong ->
            {Partner, Next} = pick(Partners),
            element(Partner, All) ! {ping, Id},
            big(Id, All, Left - 1, Next, Main)
    end.

partners(Id) -> Id * 16#9E3779B9 band 16#FFFFFFFF bor 1.

pick(X0) ->
    X1 = (X0 bxor (X0 bsl 13)) band 16#FFFFFFFF,
    X2 = X1 bxor (X1 bsr 17),
    X3 = (X2 bxor (X2 bsl 5)) band 16#FFFFFFFF,
    {X3 rem ?BIG + 1, X3}.

%% fork-join

deal(_, 0) -> ok;
deal(Workers, I) -> [W ! I || W <- Workers], deal(Workers, I - 1).

work(0, Main) -> Main ! done;
work(Left, Main) -> receive I -> _ = math:sin(I) end, work(Left - 1, Main).

%% philosophers

arbiter(All, Forks) ->
    receive
        {hungry, Id} ->
            Right = (Id + 1) rem ?PHILOSOPHERS,
            case Forks of
                #{Id := free, Right := free} ->
                    element(Id + 1, All) ! eat,
                    arbiter(All, Forks#{Id := used, Right := used});
                _ ->
                    element(Id + 1, All) ! denied,
                    arbiter(All, Forks)
            end;
        {finished, Id} ->
            arbiter(All, Forks#{Id := free, (Id + 1) rem ?PHILOSOPHERS := free})
    end.

philosopher(Id, Arbiter, Left, Main) ->
    receive
        denied -> Arbiter ! {hungry, Id}, philosopher(Id, Arbiter, Left, Main);
        eat ->
            Arbiter ! {finished, Id},
            case Left of
                1 -> Main ! done;
                _ -> Arbiter ! {hungry, Id}, philosopher(Id, Arbiter, Left - 1, Main)
            end
    end.

%% restart

restarts(N, Crash) ->
    register(main, self()),
    {ok, _} = supervisor:start_link(?MODULE, []),
    First = receive {started, Pid} -> Pid end,
    time(fun() -> lists:foldl(fun(I, Fragile) -> restart(Fragile, Crash, I) end, First, lists:seq(1, N)) end).

restart(Fragile, Crash, I) ->
    Fragile ! {crash, Crash},
    receive {started, Next} -> I = ask(Next, I), Next end.

init([]) ->
    Flags = #{strategy => one_for_one, intensity => 1000000000, period => 1},
    {ok, {Flags, [#{id => fragile, start => {?MODULE, start_fragile, []}}]}}.

start_fragile() -> proc_lib:start_link(?MODULE, fragile, []).

fragile() ->
    proc_lib:init_ack({ok, self()}),
    main ! {started, self()},
    fragile_loop().

fragile_loop() ->
    receive
        {crash, Crash} -> Crash();
        {Ref, From, I} -> From ! {Ref, I}
    end,
    fragile_loop().

%% timers

delays(N, Longest) -> [1 + I rem Longest || I <- lists:seq(0, N - 1)].

ignore() -> receive _ -> ignore() end.

%% measuring

done(0) -> ok;
done(N) -> receive done -> done(N - 1) end.

now_ns() -> erlang:monotonic_time(nanosecond).

time(Work) -> element(1, time_of(Work)).

time_of(Work) ->
    Start = now_ns(),
    Result = Work(),
    {now_ns() - Start, Result}.

%% The processor time of all threads, in nanoseconds.
cpu() ->
    {ok, Stat} = file:read_file("/proc/self/stat"),
    [_, Rest] = binary:split(Stat, <<") ">>),
    Fields = binary:split(Rest, <<" ">>, [global]),
    [User, System] = [binary_to_integer(F) || F <- lists:sublist(Fields, 12, 2)],
    (User + System) * 10000000.

resident() ->
    {ok, Statm} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = binary:split(Statm, <<" ">>, [global]),
    binary_to_integer(Pages) * 4096.

timed(Row, N, Ns) -> print(Row, N, [{"ns", Ns / N}]).

laps(Row, Laps) ->
    {Mean, P50, P99} = shares(Laps),
    print(Row, length(Laps), [{"ns", Mean}, {"p50_ns", P50}, {"p99_ns", P99}]).

shares(Laps) ->
    Sorted = list_to_tuple(lists:sort(Laps)),
    N = tuple_size(Sorted),
    At = fun(Share) -> element(1 + trunc((N - 1) * Share), Sorted) end,
    {lists:sum(Laps) / N, At(0.5), At(0.99)}.

print(Row, N, Numbers) ->
    Fields = [io_lib:format(",\"~s\":~.1f", [Name, float(Value)]) || {Name, Value} <- Numbers],
    io:format("{\"row\":\"~s\",\"n\":~b~s}~n", [Row, N, Fields]).
