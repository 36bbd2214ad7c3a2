%% @doc Owns the tables; supervises their keepers, the delivery workers, the watch on the service and the reporter.
-module(tightbeam_sup).

-behaviour(supervisor).

-export([start_link/0, init/1]).

-spec start_link() -> supervisor:startlink_ret().
start_link() ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, []).

-spec init([]) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init([]) ->
    [ok = M:create_tables() || M <- [
            tightbeam_report, tightbeam_pending, tightbeam_inflight, tightbeam_identity, tightbeam_principals, tightbeam_kept, tightbeam_joined,
            tightbeam_waiting, tightbeam_answers, tightbeam_authz, tightbeam_connection_waits, tightbeam_arrivals
        ]],
    ok = tightbeam_delivery:create_counters(),
    ok = tightbeam_tap_counts:create_missed(),
    ok = tightbeam_tap_collector:create_queue(),
    Workers = [
        worker(tightbeam_delivery:name(N), {tightbeam_delivery, start_link, [N]}, tightbeam_delivery)
     || N <- lists:seq(0, tightbeam_delivery:pool_size() - 1)
    ],
    Keepers = [
        worker(M, {M, start_link, []}, M)
     || M <- [
            tightbeam_report, tightbeam_pending, tightbeam_inflight, tightbeam_identity, tightbeam_answers, tightbeam_authz,
            tightbeam_connection_waits, tightbeam_arrivals,
            tightbeam_watch, tightbeam_tap_keeper
        ]
    ],
    Collectors = [
        worker(Name, {tightbeam_tap_collector, start_link, [Number]}, tightbeam_tap_collector)
     || {Number, Name} <- tightbeam_tap_collector:names()
    ],
    {ok, {#{strategy => one_for_one, intensity => 10, period => 10}, Collectors ++ Keepers ++ Workers}}.

worker(Id, Start, Module) ->
    #{id => Id, start => Start, restart => permanent, shutdown => 5000, type => worker, modules => [Module]}.
