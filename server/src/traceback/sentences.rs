//! Windows' messages for the codes of failed loads, in the most common languages.
//!
//! They are what `FormatMessageW` returns for the code in the user's language. Python prints them
//! without the code. They were collected from public error reports. They only serve to explain a
//! traceback: no diagnosis depends on them, and an unknown message just isn't recognized.

/// Returns the code that a message belongs to.
pub(super) fn code_of(sentence: &str) -> Option<u32> {
    let sentence = comparable(sentence);
    let matches = |known: &&&str| {
        let known = comparable(known);
        // A remark may follow the message. Only the file name in the place of %1 may precede it.
        match known.strip_prefix("%1") {
            Some(rest) => sentence.contains(rest),
            None => sentence.starts_with(&known),
        }
    };
    SENTENCES.iter().find(|(_, known)| known.iter().any(|known| matches(&known))).map(|(code, _)| *code)
}

fn comparable(sentence: &str) -> String {
    let words = sentence.trim().trim_end_matches(['.', '。', '!']).to_lowercase();
    words.replace(['\u{a0}', ' '], "")
}

const SENTENCES: [(u32, &[&str]); 11] = [
    (
        126,
        &[
            "The specified module could not be found",
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
    ),
    (
        127,
        &[
            "The specified procedure could not be found",
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
    ),
    (
        193,
        &[
            "%1 is not a valid Win32 application",
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
    ),
    (
        1114,
        &[
            "A dynamic link library (DLL) initialization routine failed",
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
    ),
    (
        5,
        &[
            "Access is denied",
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
    ),
    (
        4551,
        &[
            "An Application Control policy has blocked this file",
            "Eine Anwendungssteuerungsrichtlinie hat diese Datei blockiert",
            "应用程序控制策略已阻止此文件",
        ],
    ),
    (1260, &["This program is blocked by group policy"]),
    (
        225,
        &[
            "Operation did not complete successfully because the file contains a virus or potentially unwanted software",
        ],
    ),
    (998, &["Invalid access to memory location", "内存位置访问无效"]),
    (14001, &["The application has failed to start because its side-by-side configuration is incorrect"]),
    (
        1455,
        &[
            "The paging file is too small for this operation to complete",
            "Die Auslagerungsdatei ist zu klein, um diesen Vorgang durchzuführen",
            "页面文件太小",
        ],
    ),
];
