"""Why a KOL is on the list: reasons, cautions, comparisons and precedents, in both languages."""
