%% The workloads of `remote` between two Erlang nodes, for its --external.
-module(remote).
-export([main/0]).

main() ->
    {ok, _} = net_kernel:start([name(), longnames]),
    erlang:set_cookie(node(), remote),
    case init:get_plain_arguments() of
        ["server"] -> server();
        ["client", Workload, Address, N] ->
            client(list_to_atom(Workload), list_to_atom(Address), list_to_integer(N)),
            halt(0)
    end.

name() -> list_to_atom("remote" ++ os:getpid() ++ "@127.0.0.1").

server() ->
    register(sink, self()),
    io:format("~s~n", [node()]),
    serve(0, 0, 0).

serve(Messages, Reordered, Next) ->
    receive
        {short, I, _} when I < Next -> serve(Messages + 1, Reordered + 1, I + 1);
        {short, I, _} -> serve(Messages + 1, Reordered, I + 1);
        {long, _} -> serve(Messages + 1, Reordered, Next);
        {ask, From, Ref, I} -> From ! {Ref, I + 1}, serve(Messages, Reordered, Next);
        {seen, From, Ref} -> From ! {Ref, {Messages, Reordered}}, serve(0, 0, 0)
    end.

client(Workload, Address, N) ->
    pong = net_adm:ping(Address),
    work(Workload, {sink, Address}, N).

work('one-way', Sink, N) ->
    Began = now_ns(),
    Rest = <<0:(56 * 8)>>,
    lists:foreach(fun(I) -> Sink ! {short, I, Rest} end, lists:seq(0, N - 1)),
    arrived(N, Began, ask(Sink, seen));
work(bulk, Sink, N) ->
    Began = now_ns(),
    Long = binary:copy(<<7>>, 1024 * 1024),
    lists:foreach(fun(_) -> Sink ! {long, Long} end, lists:seq(1, N)),
    arrived(N, Began, ask(Sink, seen));
work(call, Sink, N) ->
    Laps = lists:sort(laps(Sink, N)),
    At = fun(Share) -> lists:nth(1 + trunc((N - 1) * Share), Laps) end,
    say(N, lists:sum(Laps) / N, io_lib:format(",\"p50_ns\":~p,\"p99_ns\":~p", [At(0.5), At(0.99)]));
work(callers, Sink, N) ->
    Began = now_ns(),
    Askers = [spawn_monitor(fun() -> laps(Sink, N div 100) end) || _ <- lists:seq(1, 100)],
    lists:foreach(fun({_, Ref}) -> receive {'DOWN', Ref, _, _, normal} -> ok end end, Askers),
    say(N, (now_ns() - Began) / N, "");
work(_Fault, {sink, Address}, _) ->
    monitor_node(Address, true),
    io:format("ready~n"),
    receive
        {nodedown, Address} ->
            io:format("{\"n\":1,\"ns\":null,\"at\":~p}~n", [os:system_time(nanosecond)])
    after 20000 -> io:format("{\"n\":1,\"ns\":null}~n")
    end.

laps(Sink, N) -> [lap(Sink, I) || I <- lists:seq(1, N)].

lap(Sink, I) ->
    Began = now_ns(),
    Ref = make_ref(),
    Sink ! {ask, self(), Ref, I},
    receive {Ref, _} -> now_ns() - Began end.

ask(Sink, seen) ->
    Ref = make_ref(),
    Sink ! {seen, self(), Ref},
    receive {Ref, Seen} -> Seen end.

arrived(N, Began, {Messages, Reordered}) ->
    Counts = io_lib:format(",\"lost\":~p,\"reordered\":~p", [N - Messages, Reordered]),
    say(N, (now_ns() - Began) / N, Counts).

say(N, Ns, More) -> io:format("{\"n\":~p,\"ns\":~p~s}~n", [N, float(Ns), More]).

now_ns() -> erlang:monotonic_time(nanosecond).
