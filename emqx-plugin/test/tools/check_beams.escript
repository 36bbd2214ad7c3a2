#!/usr/bin/env escript
%% Checks compiled modules of the plugin: check_beams.escript EBIN. Each finding is a line; none is success.
%%
%% One package is to load on OTP 25 to 28 and to find every function of EMQX that it calls. Neither needs those
%% releases: what the loader of OTP 28 no longer knows can be seen in the instructions, and what EMQX exports is in
%% emqx_exports.eterm.
-mode(compile).

%% Instructions that compilers before OTP 25 (or with +r24) make binaries with. OTP 28 has lost them.
-define(LOST, [
    bs_add, bs_append, bs_init2, bs_init_bits, bs_init_writable, bs_private_append, bs_put_binary, bs_put_float,
    bs_put_integer, bs_put_string, bs_put_utf16, bs_put_utf32, bs_put_utf8, bs_utf16_size, bs_utf8_size
]).

main([Ebin]) ->
    {ok, Versions} = file:consult(filename:join([filename:dirname(escript:script_name()), "..", "emqx_exports.eterm"])),
    Beams = lists:sort(filelib:wildcard(filename:join(Ebin, "tightbeam*.beam"))),
    true = Beams =/= [],
    true = code:add_patha(Ebin),
    Findings = lists:append([lost(Beam) ++ missing(Beam, Versions) || Beam <- Beams]) ++ unknown(Versions),
    lists:foreach(fun(Finding) -> io:format(standard_error, "~ts~n", [Finding]) end, Findings),
    halt(
        case Findings of
            [] -> 0;
            _ -> 1
        end
    ).

lost(Beam) ->
    {beam_file, Module, _, _, _, Functions} = beam_disasm:file(Beam),
    Used = lists:usort([name(I) || {function, _, _, _, Code} <- Functions, I <- Code]),
    [io_lib:format("~s: instruction ~s is unknown to OTP 28", [Module, I]) || I <- Used, lists:member(I, ?LOST)].

name(I) when is_tuple(I) -> element(1, I);
name(I) -> I.

%% A plain call of EMQX needs its function in every version, one of our own needs it here.
missing(Beam, Versions) ->
    {ok, {Module, [{imports, Imports}]}} = beam_lib:chunks(Beam, [imports]),
    [
        io_lib:format("~s: EMQX ~s has no ~s:~s/~b", [Module, Version, M, F, A])
     || {M, F, A} <- Imports,
        is_emqx(M),
        {Version, #{exports := Exports}} <- Versions,
        not exports(M, F, A, Exports)
    ] ++ [
        io_lib:format("~s: there is no ~s:~s/~b", [Module, M, F, A])
     || {M, F, A} <- Imports, is_own(M), not is_exported(M, F, A)
    ].

%% The compiler does not look into other modules.
is_own(Module) ->
    lists:prefix("tightbeam", atom_to_list(Module)).

is_exported(M, F, A) ->
    {module, M} = code:ensure_loaded(M),
    erlang:function_exported(M, F, A).

is_emqx(Module) ->
    lists:prefix("emqx", atom_to_list(Module)).

exports(M, F, A, Exports) ->
    lists:member({F, A}, maps:get(M, Exports, [])).

%% Functions that are called only where they are: each in some version, and of those that do the same one in each.
unknown(Versions) ->
    [
        io_lib:format("tightbeam_emqx: EMQX ~s has none of ~p", [Version, Alternatives])
     || {needed, Alternatives} <- tightbeam_emqx:alternatives(),
        {Version, #{exports := Exports}} <- Versions,
        not lists:any(fun({M, F, A}) -> exports(M, F, A, Exports) end, Alternatives)
    ] ++
        [
            io_lib:format("tightbeam_emqx: no EMQX has ~s:~s/~b", [M, F, A])
         || {_, Alternatives} <- tightbeam_emqx:alternatives(),
            {M, F, A} <- Alternatives,
            not lists:any(fun({_, #{exports := Exports}}) -> exports(M, F, A, Exports) end, Versions)
        ].
