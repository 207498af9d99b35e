//! The global interrupt flag and its virtualisation (15.17, 15.33.2).

use crate::rules::table::rules;

rules! { Vgif;
    STGI_SETS = "gif.stgi", "15.17", one, "STGI sets GIF.";
    CLGI_CLEARS = "gif.clgi", "15.17", one, "CLGI clears GIF.";
    STGI_UD = "gif.stgi-ud", "STGI", two, "STGI with EFER.SVME clear raises #UD where CPUID offers neither SKINIT nor SVM lock.";
    CLGI_UD = "gif.clgi-ud", "CLGI", two, "CLGI with EFER.SVME clear raises #UD.";
    HOLDS_INTR = "gif.holds-intr", "15.17", two, "With GIF clear a maskable interrupt stays pending.";
    HOLDS_NMI = "gif.holds-nmi", "15.17", two, "With GIF clear an NMI stays pending.";
    HOLDS_SMI = "gif.holds-smi", "15.17", two, "With GIF clear an SMI stays pending.";
    HOLDS_INIT = "gif.holds-init", "15.17", two, "With GIF clear an INIT stays pending.";
    HOLDS_VINTR = "gif.holds-vintr", "15.17", one, "With GIF clear no virtual interrupt is taken.";
    DISCARDS_BREAKPOINTS = "gif.breakpoints-discarded", "15.17", two, "With GIF clear a match of a breakpoint register raises nothing, and leaves DR6.";
    GUEST_CLGI_REAL = "gif.guest-clgi", "15.17", two, "A guest's CLGI or STGI that is neither intercepted nor virtualised acts on GIF itself.";
    VGIF_SUPPORTED = "vgif.supported", "15.33.2", two, "V_GIF_ENABLE has an effect only where CPUID offers virtual GIF.";
    VGIF_STGI = "vgif.stgi", "15.33.2", one, "With virtual GIF enabled, an unintercepted STGI in the guest sets V_GIF and leaves GIF.";
    VGIF_CLGI = "vgif.clgi", "15.33.2", one, "With virtual GIF enabled, an unintercepted CLGI in the guest clears V_GIF and leaves GIF.";
    VGIF_BLOCKS_VIRQ = "vgif.blocks-virq", "15.33.2", two, "With virtual GIF enabled and V_GIF clear, no virtual interrupt is taken.";
    VGIF_NOT_PHYSICAL = "vgif.physical-untouched", "15.33.2", one, "A clear V_GIF does not hold physical interrupts.";
    VGIF_SAVED = "vgif.saved", "15.33.2", one, "#VMEXIT writes V_GIF back.";
    VGIF_INTERCEPT_WINS = "vgif.intercept-wins", "15.33.2", one, "An STGI or CLGI intercept is taken although virtual GIF is enabled.";
}
