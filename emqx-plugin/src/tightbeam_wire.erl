%% @doc What the plugin's processes on different nodes say to each other, in one form with a version, so that a cluster
%% whose nodes have different plugins (a rolling upgrade) fails no worse than with an answer.
%%
%% The rule for what may change within a version: fields may be added, and whoever reads must do without them; a field
%% that is there keeps its name and its meaning. Anything else is a new version. In every version what asks for an outcome
%% has the field `key', by which its sender can be told that it was not understood.
-module(tightbeam_wire).

-export([cast/4, read/1]).

-export_type([word/0]).

-define(VERSION, 1).

-opaque word() :: {tightbeam, pos_integer(), atom(), map()}.

%% @doc Sends to a process of the plugin on some node; nothing happens where there is none.
-spec cast(node(), atom(), atom(), map()) -> ok.
cast(Node, Process, Type, Fields) ->
    gen_server:cast({Process, Node}, {tightbeam, ?VERSION, Type, Fields}).

%% @doc `unknown': of another version; its sender's key, where it has one, and has been told.
-spec read(term()) -> {atom(), map()} | unknown.
read({tightbeam, ?VERSION, Type, #{} = Fields}) ->
    {Type, Fields};
read({tightbeam, Version, Type, Fields}) ->
    logger:warning(#{msg => "tightbeam_other_plugin_version", version => Version, type => Type}),
    case Fields of
        #{key := {Sender, Ref} = Key} when is_pid(Sender), is_reference(Ref) -> tightbeam_pending:complete(Key, other_version);
        _ -> ok
    end,
    unknown;
read(_) ->
    unknown.
