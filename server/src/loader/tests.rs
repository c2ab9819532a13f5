//! Loads in small test worlds.

use expect_test::expect;

use crate::testing::{answer, check};

#[test]
fn a_missing_dependency_is_reported_with_its_chain_and_the_directories() {
    check(
        "
        /Python/python.exe     imports python38.dll
        /Python/python38.dll   version 3.8.10150.1013
        /env/pkg/_native.pyd   imports python38.dll, b.dll
        /env/pkg/b.dll         imports msvcp140.dll
        load /env/pkg/_native.pyd
        ",
        expect![[r#"
            126: _native.pyd > b.dll > msvcp140.dll: nowhere in C:\env\pkg, C:\Python, C:\Windows\System32
            ImportError: DLL load failed while importing _native: The specified module could not be found.
        "#]],
    );
}

#[test]
fn a_loaded_module_is_found_by_name_from_any_directory() {
    check(
        r"
        application /app
        /one/b.dll
        /two/a.dll  imports B.DLL
        load /one/b.dll
        load /two/a.dll
        ",
        expect![[r#"
            C:\one\b.dll (full path)
            C:\two\a.dll (full path)
        "#]],
    );
}

/// A world with a copy of `b.dll` in every directory of every search order.
const EVERYWHERE: &str = "
    /dlls/a.dll      imports b.dll
    /dlls/b.dll
    /app/b.dll
    /added/b.dll
    /current/b.dll
    /path/b.dll
    path /path
    application /app
    add directory /added
    current /current
";

/// Returns the directories where `b.dll` is found, by removing the copy that was found and loading
/// again.
fn order(how: &str) -> String {
    order_in(EVERYWHERE, how)
}

fn order_in(world: &str, how: &str) -> String {
    let mut world = format!("{world}    load /dlls/a.dll {how}");
    let mut order = Vec::new();
    loop {
        let output = answer(&world);
        let Some(found) =
            output.lines().find_map(|line| line.strip_prefix(r"C:\").filter(|line| line.contains("b.dll")))
        else {
            return format!("{}\n{output}", order.join(" > "));
        };
        let (folder, rule) = found.split_once(r"\b.dll ").unwrap();
        order.push(format!("{folder} {rule}"));
        world = world.replace(&format!("    /{folder}/b.dll\n"), "");
    }
}

#[test]
fn modern_loads_search_neither_path_nor_the_current_directory() {
    expect![[r#"
        dlls (the DLL's own directory) > app (application directory) > added (added by the test)
        126: a.dll > b.dll: nowhere in C:\dlls, C:\app, C:\added, C:\Windows\System32
    "#]]
    .assert_eq(&order("modern"));
}

#[test]
fn the_altered_search_replaces_the_application_directory_with_the_dlls() {
    expect![[r#"
        dlls (the DLL's own directory) > current (current directory) > path (PATH)
        126: a.dll > b.dll: nowhere in C:\dlls, C:\Windows\System32, C:\Windows\System, C:\Windows, C:\current, C:\path
    "#]]
    .assert_eq(&order("altered"));
}

#[test]
fn a_plain_load_does_not_search_the_directory_of_the_dll() {
    expect![[r#"
        app (application directory) > current (current directory) > path (PATH)
        126: a.dll > b.dll: nowhere in C:\app, C:\Windows\System32, C:\Windows\System, C:\Windows, C:\current, C:\path
    "#]]
    .assert_eq(&order("plain"));
}

#[test]
fn a_bare_name_from_ctypes_searches_the_default_directories() {
    expect![[r#"
        app (application directory) > added (added by the test)
        126: a.dll > b.dll: nowhere in C:\app, C:\added, C:\Windows\System32
    "#]]
    .assert_eq(&order("ctypes"));
}

#[test]
fn system32_comes_before_path_and_the_current_directory_but_after_added_directories() {
    check(
        "
        /dlls/a.dll           imports version.dll
        /added/version.dll
        /path/version.dll
        /current/version.dll
        path /path
        application /app
        current /current
        load /dlls/a.dll altered
        application /app
        add directory /added
        load /dlls/a.dll modern
        ",
        expect![[r#"
            C:\dlls\a.dll (full path)
            C:\Windows\System32\version.dll (System32)
            C:\dlls\a.dll (full path)
            C:\added\version.dll (added by the test)
        "#]],
    );
}

#[test]
fn the_directory_of_the_top_dll_is_searched_for_all_its_dependencies() {
    check(
        "
        /dlls/a.dll    imports b.dll
        /added/b.dll   imports c.dll
        /dlls/c.dll
        application /app
        add directory /added
        load /dlls/a.dll
        ",
        expect![[r#"
            C:\dlls\a.dll (full path)
            C:\added\b.dll (added by the test)
            C:\dlls\c.dll (the DLL's own directory)
        "#]],
    );
}

#[test]
fn the_directory_of_a_dependency_is_not_searched() {
    check(
        "
        /dlls/a.dll        imports b.dll
        /added/b.dll       imports c.dll
        /added/sub/c.dll
        application /app
        add directory /added
        load /dlls/a.dll
        ",
        expect![[r#"
            126: a.dll > b.dll > c.dll: nowhere in C:\dlls, C:\app, C:\added, C:\Windows\System32
        "#]],
    );
}

#[test]
fn the_directory_added_last_is_searched_first_and_a_removed_one_is_not() {
    check(
        "
        /one/b.dll
        /two/b.dll
        /one/c.dll
        application /app
        add directory /one
        add directory /two
        load b.dll ctypes
        remove directory /one
        load c.dll ctypes
        ",
        expect![[r#"
            C:\two\b.dll (added by the test)
            126: c.dll: nowhere in C:\app, C:\two, C:\Windows\System32
        "#]],
    );
}

#[test]
fn a_file_for_another_machine_is_passed_over() {
    check(
        "
        /dlls/a.dll    imports b.dll
        /dlls/b.dll    x86
        /added/b.dll
        application /app
        add directory /added
        load /dlls/a.dll
        ",
        expect![[r#"
            C:\dlls\a.dll (full path)
            C:\added\b.dll (added by the test)
        "#]],
    );
}

#[test]
fn a_file_for_another_machine_is_reported_if_no_other_is_found() {
    check(
        "
        /dlls/a.dll    imports b.dll, c.dll
        /dlls/b.dll    x86
        /app/b.dll     arm64
        /dlls/c.dll
        application /app
        load /dlls/a.dll
        load /dlls/b.dll
        ",
        expect![[r#"
            193: a.dll > b.dll: C:\app\b.dll is for arm64
            193: b.dll: C:\dlls\b.dll is for x86
        "#]],
    );
}

/// Microsoft, "Arm64X PE files" and "Arm64EC for Windows 11 apps on Arm".
#[test]
fn processes_on_arm64_load_the_images_of_their_kind() {
    let world = |process: &str| {
        answer(&format!(
            "
            machine windows-11-arm64
            /dlls/native.dll      arm64, imports kernel32.dll, ucrtbase.dll, api-ms-win-crt-math-l1-1-0.dll
            /dlls/both.dll        arm64x, imports kernel32.dll
            /dlls/emulated.dll    imports kernel32.dll, mscoree.dll
            /dlls/compatible.dll  arm64ec, imports kernel32.dll
            /dlls/x86.dll         x86
            application /app {process}
            load /dlls/native.dll
            load /dlls/both.dll
            load /dlls/emulated.dll
            load /dlls/compatible.dll
            load /dlls/x86.dll
            "
        ))
    };
    expect![[r#"
        C:\dlls\native.dll (full path)
        C:\Windows\System32\kernel32.dll (KnownDLLs)
        C:\Windows\System32\ucrtbase.dll (KnownDLLs)
        C:\dlls\both.dll (full path)
        193: emulated.dll: C:\dlls\emulated.dll is for x86_64
        193: compatible.dll: C:\dlls\compatible.dll is for arm64ec
        193: x86.dll: C:\dlls\x86.dll is for x86
    "#]]
    .assert_eq(&world("arm64"));
    expect![[r#"
        193: native.dll: C:\dlls\native.dll is for arm64
        C:\dlls\both.dll (full path)
        C:\Windows\System32\kernel32.dll (KnownDLLs)
        C:\dlls\emulated.dll (full path)
        C:\Windows\System32\mscoree.dll (System32)
        C:\dlls\compatible.dll (full path)
        193: x86.dll: C:\dlls\x86.dll is for x86
    "#]]
    .assert_eq(&world("x86_64"));
    expect![[r#"
        193: native.dll: C:\dlls\native.dll is for arm64
        193: both.dll: C:\dlls\both.dll is for arm64x
        193: emulated.dll: C:\dlls\emulated.dll is for x86_64
        193: compatible.dll: C:\dlls\compatible.dll is for arm64ec
        C:\dlls\x86.dll (full path)
    "#]]
    .assert_eq(&world("x86"));
}

#[test]
fn on_arm64_a_file_for_other_processes_is_passed_over() {
    check(
        "
        machine windows-11-arm64
        /dlls/a.dll    arm64, imports b.dll, c.dll
        /dlls/b.dll
        /added/b.dll   arm64
        /dlls/c.dll    arm64ec
        /added/c.dll   arm64x
        application /app arm64
        add directory /added
        load /dlls/a.dll
        ",
        expect![[r#"
            C:\dlls\a.dll (full path)
            C:\added\b.dll (added by the test)
            C:\added\c.dll (added by the test)
        "#]],
    );
}

/// The parts of an ARM64X image that the kernel overwrites for x64 processes include its imports
/// and exports.
#[test]
fn an_arm64x_image_has_the_imports_and_exports_of_its_process_kind() {
    let world = |process: &str, machine: &str| {
        answer(&format!(
            "
            machine windows-11-arm64
            /dlls/a.dll        {machine}, imports both.dll!f
            /dlls/both.dll     arm64x, exports f, imports native.dll, x64 exports g, x64 imports emulated.dll
            /dlls/native.dll   arm64
            /dlls/b.dll        {machine}, imports both.dll!g
            application /app {process}
            load /dlls/a.dll
            load /dlls/b.dll
            "
        ))
    };
    expect![[r#"
        C:\dlls\a.dll (full path)
        C:\dlls\both.dll (the DLL's own directory)
        C:\dlls\native.dll (the DLL's own directory)
        127: b.dll > both.dll: C:\dlls\both.dll lacks g (the DLL's own directory)
    "#]]
    .assert_eq(&world("arm64", "arm64"));
    expect![[r#"
        126: a.dll > both.dll > emulated.dll: nowhere in C:\dlls, C:\app, C:\Windows\System32
        127: a.dll > both.dll: C:\dlls\both.dll lacks f (the DLL's own directory)
        126: b.dll > both.dll > emulated.dll: nowhere in C:\dlls, C:\app, C:\Windows\System32
    "#]]
    .assert_eq(&world("x86_64", "x86_64"));
}

/// It isn't known which kind of process loads two ARM64X images, so a symbol that is missing in
/// only one of the two kinds isn't reported.
#[test]
fn between_arm64x_images_only_symbols_missing_in_every_process_are_reported() {
    check(
        "
        machine windows-11-arm64
        /dlls/a.dll   arm64x, imports b.dll!f, x64 imports b.dll!f, b.dll!g
        /dlls/b.dll   arm64x, exports f, x64 exports h
        /dlls/c.dll   arm64x, imports b.dll!k
        application /app arm64
        load /dlls/a.dll
        load /dlls/c.dll
        ",
        expect![[r#"
            C:\dlls\a.dll (full path)
            C:\dlls\b.dll (the DLL's own directory)
            127: c.dll > b.dll: C:\dlls\b.dll lacks k (the DLL's own directory)
        "#]],
    );
}

#[test]
fn a_windows_for_x64_does_not_start_programs_for_arm64() {
    check(
        "
        /app/program.exe   arm64, imports kernel32.dll
        /app/other.exe     imports kernel32.dll
        application /app arm64
        start /app/program.exe
        machine windows-11-arm64
        application /app arm64
        start /app/program.exe
        application /app
        start /app/other.exe
        ",
        expect![[r#"
            193: program.exe: C:\app\program.exe is for arm64
            C:\app\program.exe (full path)
            C:\Windows\System32\kernel32.dll (KnownDLLs)
            C:\app\other.exe (full path)
            C:\Windows\System32\kernel32.dll (KnownDLLs)
        "#]],
    );
}

#[test]
fn a_32_bit_process_finds_its_system_dlls_in_syswow64() {
    check(
        "
        /dlls/a.dll   x86, imports kernel32.dll, version.dll
        /dlls/b.dll   imports kernel32.dll
        application /app x86
        load /dlls/a.dll
        load /dlls/b.dll
        ",
        expect![[r#"
            C:\dlls\a.dll (full path)
            C:\Windows\SysWOW64\kernel32.dll (KnownDLLs)
            C:\Windows\SysWOW64\version.dll (System32)
            193: b.dll: C:\dlls\b.dll is for x86_64
        "#]],
    );
}

#[test]
fn a_file_that_is_not_an_image_ends_the_search() {
    for attribute in ["empty", "junk", "html", "zip", "text"] {
        let output = answer(&format!(
            "
            /dlls/a.dll    imports b.dll
            /dlls/b.dll    {attribute}
            /added/b.dll
            application /app
            add directory /added
            load /dlls/a.dll
            "
        ));
        assert!(output.starts_with("193: a.dll > b.dll: "), "{attribute}: {output}");
    }
}

#[test]
fn the_defect_of_a_file_that_is_not_an_image_is_reported() {
    check(
        "
        /dlls/a.dll    imports empty.dll, junk.dll, page.dll, zip.dll, cut.dll
        /dlls/empty.dll   empty
        /dlls/junk.dll    junk
        /dlls/page.dll    html
        /dlls/zip.dll     zip
        /dlls/cut.dll     cut 700
        application /app
        load /dlls/a.dll
        load /dlls/empty.dll
        ",
        expect![[r#"
            193: a.dll > empty.dll: the file is empty
            193: a.dll > junk.dll: the file is not a Windows program or DLL; it looks like a Git LFS pointer, not the file it stands for
            193: a.dll > page.dll: the file is not a Windows program or DLL; it looks like a web page (HTML)
            193: a.dll > zip.dll: the file is not a Windows program or DLL; it looks like a zip archive, such as a wheel
            193: a.dll > cut.dll: the file has only 700 bytes, but section .rdata should end at byte 1536
            193: empty.dll: the file is empty
        "#]],
    );
}

#[test]
fn a_folder_named_like_a_dll_is_not_a_dll() {
    check(
        "
        /dlls/a.dll    imports b.dll
        /dlls/b.dll/
        /added/b.dll
        application /app
        load /dlls/a.dll
        add directory /added
        load /dlls/a.dll
        ",
        expect![[r#"
            126: a.dll > b.dll: nowhere in C:\dlls, C:\app, C:\Windows\System32
            C:\dlls\a.dll (full path)
            C:\added\b.dll (added by the test)
        "#]],
    );
}

#[test]
fn a_file_that_may_not_be_read_ends_the_search_with_access_denied() {
    check(
        "
        /dlls/a.dll    imports b.dll
        /dlls/b.dll
        /added/b.dll
        denied /dlls/b.dll
        application /app
        add directory /added
        load /dlls/a.dll
        load /dlls/b.dll
        ",
        expect![[r#"
            5: a.dll > b.dll: access is denied
            5: b.dll: access is denied
        "#]],
    );
}

#[test]
fn circular_imports_end() {
    check(
        "
        /dlls/a.dll   imports b.dll
        /dlls/b.dll   imports c.dll, b.dll
        /dlls/c.dll   imports a.dll, B.DLL
        application /app
        load /dlls/a.dll
        ",
        expect![[r#"
            C:\dlls\a.dll (full path)
            C:\dlls\b.dll (the DLL's own directory)
            C:\dlls\c.dll (the DLL's own directory)
        "#]],
    );
}

#[test]
fn a_cycle_with_a_missing_dependency_fails_once_and_as_a_whole() {
    check(
        "
        /dlls/a.dll   imports b.dll
        /dlls/b.dll   imports a.dll, missing.dll
        application /app
        load /dlls/a.dll
        load /dlls/b.dll
        ",
        expect![[r#"
            126: a.dll > b.dll > missing.dll: nowhere in C:\dlls, C:\app, C:\Windows\System32
            126: b.dll > missing.dll: nowhere in C:\dlls, C:\app, C:\Windows\System32
        "#]],
    );
}

#[test]
fn a_loaded_module_takes_precedence_over_a_file_found_earlier_in_the_search() {
    check(
        "
        /first/Helper.DLL
        /dlls/a.dll        imports hELPER.dll
        /dlls/helper.dll
        application /app
        load /first/Helper.DLL
        load /dlls/a.dll
        load helper ctypes
        ",
        expect![[r#"
            C:\first\Helper.DLL (full path)
            C:\dlls\a.dll (full path)
        "#]],
    );
}

#[test]
fn imports_use_the_first_of_two_loaded_modules_of_the_same_name() {
    check(
        "
        /one/b.dll
        /two/b.dll
        /dlls/a.dll   imports b.dll
        application /app
        load /one/b.dll
        load /two/b.dll
        load /dlls/a.dll
        load b.dll ctypes
        ",
        expect![[r#"
            C:\one\b.dll (full path)
            C:\two\b.dll (full path)
            C:\dlls\a.dll (full path)
        "#]],
    );
}

#[test]
fn a_full_path_is_loaded_once_however_it_is_spelled() {
    check(
        r"
        /dlls/a.dll   imports b.dll
        /dlls/b.dll
        application /app
        load /dlls/a.dll
        load /DLLS/A.DLL
        load /dlls/../dlls/./b.dll
        ",
        expect![[r#"
            C:\dlls\a.dll (full path)
            C:\dlls\b.dll (the DLL's own directory)
        "#]],
    );
}

#[test]
fn a_name_without_a_suffix_gets_one() {
    check(
        "
        /app/b.dll
        /app/plain
        /app/odd.name
        /dlls/a.dll   imports b
        application /app
        load /dlls/a.dll
        load plain ctypes
        load odd.name ctypes
        ",
        expect![[r#"
            C:\dlls\a.dll (full path)
            C:\app\b.dll (application directory)
            126: plain.dll: nowhere in C:\app, C:\Windows\System32
            193: odd.name: the file is empty
        "#]],
    );
}

#[test]
fn api_sets_are_resolved_before_any_directory() {
    check(
        "
        machine windows-10
        /dlls/a.dll                                 imports api-ms-win-crt-math-l1-1-0.dll, API-MS-WIN-CRT-RUNTIME-l1-1-9.dll
        /dlls/api-ms-win-crt-math-l1-1-0.dll        junk
        application /app
        load /dlls/a.dll
        ",
        expect![[r#"
            C:\dlls\a.dll (full path)
            C:\Windows\System32\ucrtbase.dll (API set)
        "#]],
    );
}

#[test]
fn a_contract_that_this_windows_does_not_list_is_searched_as_a_file() {
    check(
        "
        machine windows-10
        /dlls/a.dll                            imports api-ms-win-none-l1-1-0.dll
        /own/a2.dll                            imports api-ms-win-none-l1-1-0.dll
        /own/api-ms-win-none-l1-1-0.dll
        application /app
        load /dlls/a.dll
        load /own/a2.dll
        ",
        expect![[r#"
            126: a.dll > api-ms-win-none-l1-1-0.dll: nowhere in C:\dlls, C:\app, C:\Windows\System32
            C:\own\a2.dll (full path)
            C:\own\api-ms-win-none-l1-1-0.dll (the DLL's own directory)
        "#]],
    );
}

#[test]
fn a_newer_windows_may_have_contracts_that_are_unknown_here() {
    check(
        "
        machine windows-11
        /dlls/a.dll   imports api-ms-win-none-l1-1-0.dll
        application /app
        load /dlls/a.dll
        ",
        expect![[r#"
            C:\dlls\a.dll (full path)
        "#]],
    );
}

#[test]
fn a_known_dll_comes_from_system32_even_if_the_modules_directory_has_one() {
    check(
        "
        /dlls/a.dll          imports ole32.dll, version.dll
        /dlls/ole32.dll
        /dlls/version.dll
        application /app
        load /dlls/a.dll
        ",
        expect![[r#"
            C:\dlls\a.dll (full path)
            C:\Windows\System32\ole32.dll (KnownDLLs)
            C:\dlls\version.dll (the DLL's own directory)
        "#]],
    );
}

#[test]
fn a_failed_load_leaves_nothing_behind() {
    check(
        "
        /dlls/a.dll   imports b.dll, missing.dll
        /dlls/b.dll
        /two/c.dll    imports b.dll
        application /app
        load /dlls/a.dll
        load /two/c.dll
        ",
        expect![[r#"
            126: a.dll > missing.dll: nowhere in C:\dlls, C:\app, C:\Windows\System32
            126: c.dll > b.dll: nowhere in C:\two, C:\app, C:\Windows\System32
        "#]],
    );
}

#[test]
fn modules_loaded_before_a_failed_load_stay_loaded() {
    check(
        "
        /dlls/a.dll   imports b.dll, missing.dll
        /dlls/b.dll
        /two/c.dll    imports b.dll
        application /app
        load /dlls/b.dll
        load /dlls/a.dll
        load /two/c.dll
        ",
        expect![[r#"
            C:\dlls\b.dll (full path)
            126: a.dll > missing.dll: nowhere in C:\dlls, C:\app, C:\Windows\System32
            C:\two\c.dll (full path)
        "#]],
    );
}

#[test]
fn all_culprits_are_reported_once_in_the_order_of_windows() {
    check(
        "
        /dlls/a.dll   imports b.dll, one.dll, two.dll, old.dll
        /dlls/b.dll   imports three.dll, One.dll
        /dlls/old.dll x86
        application /app
        load /dlls/a.dll
        ",
        expect![[r#"
            126: a.dll > b.dll > three.dll: nowhere in C:\dlls, C:\app, C:\Windows\System32
            126: a.dll > b.dll > One.dll: nowhere in C:\dlls, C:\app, C:\Windows\System32
            126: a.dll > two.dll: nowhere in C:\dlls, C:\app, C:\Windows\System32
            193: a.dll > old.dll: C:\dlls\old.dll is for x86
        "#]],
    );
}

#[test]
fn delay_loaded_dlls_are_not_loaded_with_the_module() {
    check(
        "
        /dlls/a.dll   delay imports missing.dll
        application /app
        load /dlls/a.dll
        ",
        expect![[r#"
            C:\dlls\a.dll (full path)
        "#]],
    );
}

#[test]
fn a_missing_dll_is_no_such_file_by_full_path_and_not_found_by_name() {
    check(
        "
        /app/other.dll
        application /app
        load /dlls/a.dll
        load a.dll ctypes
        load a.dll plain
        ",
        expect![[r#"
            126: a.dll: no such file
            126: a.dll: nowhere in C:\app, C:\Windows\System32
            126: a.dll: nowhere in C:\app, C:\Windows\System32, C:\Windows\System, C:\Windows
        "#]],
    );
}

#[test]
fn a_chain_of_a_thousand_modules_ends() {
    let mut world = String::from("application /app\nload /dlls/m0.dll\n");
    for at in 0..1000 {
        world += &format!("/dlls/m{at}.dll  imports m{}.dll\n", at + 1);
    }
    assert!(answer(&world).contains(r"C:\dlls\m499.dll"));
}

#[test]
fn set_dll_directory_replaces_the_current_directory() {
    let world = EVERYWHERE.to_owned() + "    set directory /set\n    /set/b.dll\n";
    expect![[r#"
        app (application directory) > set (SetDllDirectory) > path (PATH)
        126: a.dll > b.dll: nowhere in C:\app, C:\set, C:\Windows\System32, C:\Windows\System, C:\Windows, C:\path
    "#]]
    .assert_eq(&order_in(&world, "plain"));
    expect![[r#"
        dlls (the DLL's own directory) > set (SetDllDirectory) > path (PATH)
        126: a.dll > b.dll: nowhere in C:\dlls, C:\set, C:\Windows\System32, C:\Windows\System, C:\Windows, C:\path
    "#]]
    .assert_eq(&order_in(&world, "altered"));
    expect![[r#"
        dlls (the DLL's own directory) > app (application directory) > added (added by the test) > set (SetDllDirectory)
        126: a.dll > b.dll: nowhere in C:\dlls, C:\app, C:\added, C:\set, C:\Windows\System32
    "#]]
    .assert_eq(&order_in(&world, "modern"));
}

#[test]
fn default_directories_apply_to_loads_without_search_flags() {
    let world = EVERYWHERE.to_owned() + "    default directories 0x1000\n";
    expect![[r#"
        app (application directory) > added (added by the test)
        126: a.dll > b.dll: nowhere in C:\app, C:\added, C:\Windows\System32
    "#]]
    .assert_eq(&order_in(&world, "plain"));
    expect![[r#"
        dlls (the DLL's own directory) > app (application directory) > added (added by the test)
        126: a.dll > b.dll: nowhere in C:\dlls, C:\app, C:\added, C:\Windows\System32
    "#]]
    .assert_eq(&order_in(&world, "altered"));
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    check(
        "
        /dlls/a.dll
        application /app
        load /dlls/a.dll flags 0x108
        load a.dll flags 0x100
        load a.dll flags 0x1100
        load /dlls/a.dll flags 0x800
        ",
        expect![[r#"
            87: a.dll: the flags are refused
            87: a.dll: the flags are refused
            87: a.dll: the flags are refused
            C:\dlls\a.dll (full path)
        "#]],
    );
}

#[test]
fn symbols_are_looked_up_in_the_module_that_the_import_resolves_to() {
    check(
        "
        /dlls/a.dll   imports b.dll!there, b.dll!gone, b.dll!#20
        /dlls/b.dll   exports there
        application /app
        load /dlls/a.dll
        ",
        expect![[r#"
            127: a.dll > b.dll: C:\dlls\b.dll lacks gone, #20 (the DLL's own directory)
        "#]],
    );
    check(
        "
        /one/b.dll    exports f
        /two/a.dll    imports b.dll!g
        /two/b.dll    exports g
        application /app
        load /one/b.dll
        load /two/a.dll
        ",
        expect![[r#"
            C:\one\b.dll (full path)
            127: a.dll > b.dll: C:\one\b.dll lacks g (full path)
        "#]],
    );
}

#[test]
fn forwarders_load_their_target_dll() {
    check(
        "
        /dlls/a.dll   imports b.dll!f, b.dll!g
        /dlls/b.dll   exports f=c.h, g=c.#7
        /dlls/c.dll   exports h=d.i, x@7
        /dlls/d.dll   exports i
        application /app
        load /dlls/a.dll
        ",
        expect![[r#"
            C:\dlls\a.dll (full path)
            C:\dlls\b.dll (the DLL's own directory)
            C:\dlls\c.dll (the DLL's own directory)
            C:\dlls\d.dll (the DLL's own directory)
        "#]],
    );
    check(
        "
        /dlls/a.dll   imports b.dll!f
        /dlls/b.dll   exports f=b.g, g=b.f
        application /app
        load /dlls/a.dll
        ",
        expect![[r#"
            193: a.dll > b.dll: C:\dlls\b.dll lacks f, forwarded to b.g (the DLL's own directory)
        "#]],
    );
    check(
        "
        /dlls/a.dll   imports b.dll!f
        /dlls/b.dll   exports f=nowhere.g
        application /app
        load /dlls/a.dll
        ",
        expect![[r#"
            126: a.dll > b.dll: C:\dlls\b.dll lacks f, forwarded to nowhere.g (the DLL's own directory)
        "#]],
    );
}

#[test]
fn a_dll_without_imported_symbols_is_not_loaded() {
    check(
        "
        /dlls/a.dll   imports nowhere.dll!
        application /app
        load /dlls/a.dll
        ",
        expect![[r#"
            C:\dlls\a.dll (full path)
        "#]],
    );
}

#[test]
fn a_local_folder_redirects_everything_the_program_loads() {
    check(
        "
        /app/p.exe                exe
        /app/p.exe.local/b.dll
        /dlls/a.dll               imports b.dll
        /dlls/b.dll
        application /app
        start /app/p.exe
        load /dlls/a.dll
        load /dlls/b.dll
        ",
        expect![[r#"
            C:\app\p.exe (full path)
            C:\dlls\a.dll (full path)
            C:\app\p.exe.local\b.dll (redirected by .local)
        "#]],
    );
}

/// An attribute with a manifest that requires the assembly `parts`.
const ASKS: &str = "manifest \"<assembly><dependency><dependentAssembly><assemblyIdentity name='parts' version='1.0.0.0'/></dependentAssembly></dependency></assembly>\"";

#[test]
fn a_manifest_redirects_the_imports_of_its_dll() {
    check(
        &format!(
            "
            /dlls/a.dll                  imports b.dll, {ASKS}
            /dlls/b.dll
            /dlls/c.dll                  imports b.dll
            /dlls/parts/parts.manifest   text
                <assembly><file name='B.dll'/></assembly>
            /dlls/parts/b.dll
            application /app
            load /dlls/a.dll
            load /dlls/b.dll
            load /dlls/c.dll
            "
        ),
        expect![[r#"
            C:\dlls\a.dll (full path)
            C:\dlls\parts\B.dll (side-by-side assembly parts)
            C:\dlls\b.dll (full path)
            C:\dlls\c.dll (full path)
        "#]],
    );
}

#[test]
fn a_missing_assembly_fails_the_dll_that_requires_it() {
    check(
        &format!(
            "
            /dlls/top.dll   imports a.dll
            /dlls/a.dll     imports b.dll, {ASKS}
            /dlls/b.dll
            application /app
            load /dlls/top.dll
            "
        ),
        expect![[r#"
            14001: top.dll > a.dll > parts: no assembly parts 1.0.0.0
        "#]],
    );
}

#[test]
fn pure_dotnet_code_loads_into_any_process_without_its_imports() {
    check(
        "
        /dlls/net.dll     clr
        /dlls/net32.dll   clr, x86
        /dlls/mixed.dll   clr, x86, imports b.dll
        application /app
        load /dlls/net.dll
        load /dlls/net32.dll
        load /dlls/mixed.dll
        ",
        expect![[r#"
            C:\dlls\net.dll (full path)
            C:\dlls\net32.dll (full path)
            193: mixed.dll: C:\dlls\mixed.dll is for x86
        "#]],
    );
}

#[test]
fn a_file_that_is_loaded_by_another_path_is_the_same_module() {
    check(
        r"
        /dlls/a.dll   imports sub\b.dll
        /dlls/sub/b.dll
        application /app
        load /dlls/sub/b.dll
        load /dlls/a.dll
        load /DLLS/Sub/B.DLL
        load /dlls/./sub/../sub/b.dll
        ",
        expect![[r#"
            C:\dlls\sub\b.dll (full path)
            C:\dlls\a.dll (full path)
        "#]],
    );
}

#[test]
fn windows_dlls_can_have_other_suffixes() {
    check(
        "
        /dlls/a.dll   imports bthprops.cpl!BluetoothFindFirstRadio, WINSPOOL.DRV!OpenPrinterW, nowhere.cpl
        application /app
        load /dlls/a.dll
        ",
        expect![[r#"
            126: a.dll > nowhere.cpl: nowhere in C:\dlls, C:\app, C:\Windows\System32
        "#]],
    );
}
