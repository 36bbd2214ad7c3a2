#!/usr/bin/env escript
%% Compiles the stand-ins of one version of EMQX: stand_ins.escript VERSION OUT. Their sources have everything that any
%% version has; what the version does not export is not exported by its stand-in, and what it does not have at all
%% is not there. What a stand-in exports beyond (`-test([...])') is for the tests to steer it with.
%% Without arguments: the versions.
-mode(compile).

main([]) ->
    lists:foreach(fun({Version, _}) -> io:format("~s~n", [Version]) end, versions());
main([Version, Out]) ->
    {_, #{exports := Exports, hookpoints := HookPoints}} = lists:keyfind(Version, 1, versions()),
    Sources = filelib:wildcard(filename:join([here(), "..", "stand_ins", "*.erl"])),
    lists:foreach(fun(Source) -> compile(Source, Version, Exports, HookPoints, Out) end, Sources).

here() ->
    filename:dirname(escript:script_name()).

versions() ->
    {ok, Versions} = file:consult(filename:join([here(), "..", "emqx_exports.eterm"])),
    Versions.

compile(Source, Version, Exports, HookPoints, Out) ->
    Module = list_to_atom(filename:basename(Source, ".erl")),
    {ok, Forms} = epp:parse_file(Source, [{macros, [{'VERSION', Version}, {'HOOKPOINTS', HookPoints}]}]),
    case lists:prefix("emqx", atom_to_list(Module)) of
        false -> write(Forms, Out);
        true when is_map_key(Module, Exports) -> write(only(maps:get(Module, Exports), Forms), Out);
        true -> ok
    end.

only(Exported, Forms) ->
    [restrict(Form, Exported) || Form <- Forms].

restrict({attribute, Line, export, Functions}, Exported) ->
    {attribute, Line, export, [F || F <- Functions, lists:member(F, Exported)]};
restrict({attribute, Line, test, Functions}, _Exported) ->
    {attribute, Line, export, Functions};
restrict(Form, _Exported) ->
    Form.

write(Forms, Out) ->
    {ok, Module, Beam} = compile:forms(plain(Forms), [nowarn_unused_function]),
    ok = file:write_file(filename:join(Out, atom_to_list(Module) ++ ".beam"), Beam).

plain(Forms) ->
    [restrict(Form, []) || {attribute, _, test, _} = Form <- Forms] ++ [F || F <- Forms, not is_test(F)].

is_test({attribute, _, test, _}) -> true;
is_test(_) -> false.
