//! The table of Win32 errors.
//!
//! Sources: the codes and symbols are those of `winerror.h`. The messages are what `FormatMessageW`
//! returns in each display language, collected from public error reports. The remedies follow
//! Microsoft's documentation of Smart App Control, App Control for Business, AppLocker, Microsoft
//! Defender Antivirus, and virtual memory (read 2026-11); that of 1114 follows what helped in public
//! reports on PyTorch and ONNX Runtime (nagadomi/nunif issue 701, microsoft/onnxruntime issue 24843,
//! zeromq/pyzmq issue 2012).

use super::{
    ERROR_ACCESS_DENIED, ERROR_BAD_EXE_FORMAT, ERROR_DLL_INIT_FAILED, ERROR_FILENAME_EXCED_RANGE,
    ERROR_INVALID_ORDINAL, ERROR_INVALID_PARAMETER, ERROR_MOD_NOT_FOUND, ERROR_PROC_NOT_FOUND,
    ERROR_SXS_CANT_GEN_ACTCTX, Predictability, Win32Error,
};

/// The errors that a load can end with, by ascending code.
pub static ERRORS: [Win32Error; 14] = [
    Win32Error {
        code: ERROR_ACCESS_DENIED,
        symbol: "ERROR_ACCESS_DENIED",
        message: "Access is denied.",
        translations: &[
            "Zugriff verweigert",
            "Accès refusé",
            "Acceso denegado",
            "Accesso negato",
            "Acesso negado",
            "Отказано в доступе",
            "拒绝访问",
            "存取被拒",
            "アクセスが拒否されました",
            "액세스가 거부되었습니다",
            "Odmowa dostępu",
            "Erişim engellendi",
        ],
        meaning: "access to a file was denied",
        predictability: Predictability::Complete,
    },
    Win32Error {
        code: ERROR_INVALID_PARAMETER,
        symbol: "ERROR_INVALID_PARAMETER",
        message: "The parameter is incorrect.",
        translations: &[],
        meaning: "Windows does not accept the flags with which the program loads the DLL",
        predictability: Predictability::Complete,
    },
    Win32Error {
        code: ERROR_MOD_NOT_FOUND,
        symbol: "ERROR_MOD_NOT_FOUND",
        message: "The specified module could not be found.",
        translations: &[
            "Das angegebene Modul wurde nicht gefunden",
            "Le module spécifié est introuvable",
            "No se puede encontrar el módulo especificado",
            "No se encontró el módulo especificado",
            "Impossibile trovare il modulo specificato",
            "Não foi possível encontrar o módulo especificado",
            "Não foi possível localizar o módulo especificado",
            "Не найден указанный модуль",
            "找不到指定的模块",
            "找不到指定的模組",
            "指定されたモジュールが見つかりません",
            "지정된 모듈을 찾을 수 없습니다",
            "Nie można odnaleźć określonego modułu",
            "Belirtilen modül bulunamadı",
        ],
        meaning: "a file was not found, usually a DLL that another DLL needs",
        predictability: Predictability::Complete,
    },
    Win32Error {
        code: ERROR_PROC_NOT_FOUND,
        symbol: "ERROR_PROC_NOT_FOUND",
        message: "The specified procedure could not be found.",
        translations: &[
            "Die angegebene Prozedur wurde nicht gefunden",
            "La procédure spécifiée est introuvable",
            "No se encontró el proceso especificado",
            "No se puede encontrar el procedimiento especificado",
            "Impossibile trovare la procedura specificata",
            "Não foi possível encontrar o procedimento especificado",
            "Não foi possível localizar o procedimento especificado",
            "Не найдена указанная процедура",
            "找不到指定的程序",
            "指定されたプロシージャが見つかりません",
            "지정된 프로시저를 찾을 수 없습니다",
            "Nie można odnaleźć określonej procedury",
            "Belirtilen yordam bulunamadı",
        ],
        meaning: "a DLL lacks a function that another DLL imports: it is the wrong version, or another DLL \
                  with the same name",
        predictability: Predictability::Complete,
    },
    Win32Error {
        code: ERROR_INVALID_ORDINAL,
        symbol: "ERROR_INVALID_ORDINAL",
        message: "The operating system cannot run %1.",
        translations: &[],
        meaning: "a DLL lacks a function that another DLL imports by number: it is another DLL with the same \
                  name",
        predictability: Predictability::Complete,
    },
    Win32Error {
        code: ERROR_BAD_EXE_FORMAT,
        symbol: "ERROR_BAD_EXE_FORMAT",
        message: "%1 is not a valid Win32 application.",
        translations: &[
            "%1 ist keine zulässige Win32-Anwendung",
            "%1 n'est pas une application Win32 valide",
            "%1 no es una aplicación Win32 válida",
            "%1 non è un'applicazione di Win32 valida",
            "%1 não é um aplicativo Win32 válido",
            "%1 não é uma aplicação de Win32 válida",
            "%1 не является приложением Win32",
            "%1 不是有效的 Win32 应用程序",
            "%1 不是正確的 Win32 應用程式",
            "%1 は有効な Win32 アプリケーションではありません",
            "%1은(는) 올바른 Win32 응용 프로그램이 아닙니다",
            "%1 nie jest prawidłową aplikacją systemu Win32",
            "%1 geçerli bir Win32 uygulaması değil",
        ],
        meaning: "a file is damaged, or built for another architecture (32-bit, ARM64)",
        predictability: Predictability::Complete,
    },
    Win32Error {
        code: ERROR_FILENAME_EXCED_RANGE,
        symbol: "ERROR_FILENAME_EXCED_RANGE",
        message: "The filename or extension is too long.",
        translations: &[],
        meaning: "a path is too long",
        predictability: Predictability::Complete,
    },
    Win32Error {
        code: 225,
        symbol: "ERROR_VIRUS_INFECTED",
        message: "Operation did not complete successfully because the file contains a virus or potentially \
                  unwanted software.",
        translations: &[],
        meaning: "the virus scanner considers the file malware and blocks access to it",
        predictability: Predictability::Impossible {
            remedy: "Open Windows Security > Virus & threat protection > Protection history. If the file came \
                     from the package's own wheel, restore it there, report the false positive to Microsoft, \
                     and reinstall the package.",
        },
    },
    Win32Error {
        code: 998,
        symbol: "ERROR_NOACCESS",
        message: "Invalid access to memory location.",
        translations: &["内存位置访问无效"],
        meaning: "a DLL was found, but accessed invalid memory while it was initialized: it or a DLL that it \
                  needs is the wrong version, or another program has injected a DLL into this process",
        predictability: Predictability::Impossible {
            remedy: "Reinstall the package. If the error persists, try without overlays, injected tools, and \
                     security programs that hook into other processes.",
        },
    },
    Win32Error {
        code: ERROR_DLL_INIT_FAILED,
        symbol: "ERROR_DLL_INIT_FAILED",
        message: "A dynamic link library (DLL) initialization routine failed.",
        translations: &[
            "Eine DLL-Initialisierungsroutine ist fehlgeschlagen",
            "Une routine d'initialisation d'une bibliothèque de liens dynamiques (DLL) a échoué",
            "Error en una rutina de inicialización de biblioteca de vínculos dinámicos (DLL)",
            "Routine di inizializzazione della libreria di collegamento dinamico (DLL) non riuscita",
            "Uma rotina de inicialização da biblioteca de vínculo dinâmico (DLL) falhou",
            "Произошел сбой в программе инициализации библиотеки динамической компоновки (DLL)",
            "动态链接库(DLL)初始化例程失败",
            "動態連結程式庫 (DLL) 初始化例行程序失敗",
            "ダイナミック リンク ライブラリ (DLL) 初期化ルーチンの実行に失敗しました",
            "DLL(동적 연결 라이브러리) 초기화 루틴을 실행할 수 없습니다",
        ],
        meaning: "a DLL was found, but failed to initialize",
        predictability: Predictability::Partial {
            remedy: "Install the current Microsoft Visual C++ Redistributable: most DLLs that fail this way \
                     find a runtime that is older than their compiler. If the import works in a new process \
                     that imports nothing else before, make it first there as well: another package has \
                     loaded an older copy.",
        },
    },
    Win32Error {
        code: 1260,
        symbol: "ERROR_ACCESS_DISABLED_BY_POLICY",
        message: "This program is blocked by group policy. For more information, contact your system \
                  administrator.",
        translations: &[],
        meaning: "a group policy, usually AppLocker, does not allow this file to be loaded",
        predictability: Predictability::Impossible {
            remedy: "Install Python and its packages in a folder that the policy allows (AppLocker's default \
                     rules allow Program Files, but not user folders), or ask the administrator for a rule.",
        },
    },
    Win32Error {
        code: 1455,
        symbol: "ERROR_COMMITMENT_LIMIT",
        message: "The paging file is too small for this operation to complete.",
        translations: &[
            "Die Auslagerungsdatei ist zu klein, um diesen Vorgang durchzuführen",
            "页面文件太小",
        ],
        meaning: "Windows cannot commit more memory because the paging file is too small. No DLL is at \
                  fault. CUDA builds of PyTorch request gigabytes in every process that imports them",
        predictability: Predictability::Impossible {
            remedy: "Run fewer worker processes (num_workers=0 to try), close other programs, or enlarge the \
                     paging file: System > About > Advanced system settings > Performance > Advanced > Virtual \
                     memory.",
        },
    },
    Win32Error {
        code: 4551,
        symbol: "ERROR_SYSTEM_INTEGRITY_POLICY_VIOLATION",
        message: "An Application Control policy has blocked this file.",
        translations: &[
            "Eine Anwendungssteuerungsrichtlinie hat diese Datei blockiert",
            "应用程序控制策略已阻止此文件",
        ],
        meaning: "an Application Control policy blocked the file, although the file exists and is intact. On \
                  your own PC, the policy is Smart App Control; in a company, App Control for Business",
        predictability: Predictability::Impossible {
            remedy: "Open Windows Security > App & browser control > Smart App Control. It has no exceptions \
                     for single files, and blocks modules that are not signed. In a company, send the path of \
                     the file to the administrator. The event log has the path: Applications and Services \
                     Logs > Microsoft > Windows > CodeIntegrity > Operational.",
        },
    },
    Win32Error {
        code: ERROR_SXS_CANT_GEN_ACTCTX,
        symbol: "ERROR_SXS_CANT_GEN_ACTCTX",
        message: "The application has failed to start because its side-by-side configuration is incorrect. \
                  Please see the application event log or use the command-line sxstrace.exe tool for more \
                  detail.",
        translations: &[],
        meaning: "the side-by-side assembly that a DLL's manifest requests is not installed. For old \
                  packages, that is the Visual C++ 2008 runtime (MSVCR90)",
        predictability: Predictability::Partial {
            remedy: "Install the Visual C++ 2008 Redistributable, or a version of the package that is built \
                     for this Python. `sxstrace` names the assembly.",
        },
    },
];
